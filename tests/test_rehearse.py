"""The rehearsal's proxy alone, in front of a small server: it forwards, refuses and counts; and what a rehearsal complains of.

The rehearsal itself needs a server of Apache Spark and takes long: `just rehearse`.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import zstandard
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pyspark.sql.connect.proto import base_pb2, base_pb2_grpc, commands_pb2, relations_pb2

from tools.rehearse import environment
from tools.rehearse.__main__ import ROUNDS, Run, Stage, ordered, over_budget, table
from tools.rehearse.proxy import Proxy

Execute, Analyze, Config = base_pb2.ExecutePlanRequest, base_pb2.AnalyzePlanRequest, base_pb2.ConfigRequest


class Spark(base_pb2_grpc.SparkConnectServiceServicer):
    """Answers a statement with two batches of rows, and keeps what it was asked."""

    def __init__(self):
        self.asked, self.metadata = [], {}

    def ExecutePlan(self, request, context):  # noqa: N802
        self.asked.append(request)
        self.metadata = dict(context.invocation_metadata())
        if request.plan.root.sql.query == "fail":
            context.set_trailing_metadata([("why-bin", b"\0because")])
            context.abort(grpc.StatusCode.NOT_FOUND, "no such table")
        for size in (10, 20):
            batch = base_pb2.ExecutePlanResponse.ArrowBatch(data=b"x" * size)
            yield base_pb2.ExecutePlanResponse(operation_id=request.operation_id, arrow_batch=batch)

    def AnalyzePlan(self, request, context):  # noqa: N802
        self.asked.append(request)
        return base_pb2.AnalyzePlanResponse(session_id=request.session_id)

    def Config(self, request, context):  # noqa: N802
        self.asked.append(request)
        return base_pb2.ConfigResponse(session_id=request.session_id)

    def AddArtifacts(self, requests, context):  # noqa: N802
        self.asked += requests
        return base_pb2.AddArtifactsResponse(session_id=str(len(self.asked)))


@pytest.fixture
def spark():
    return Spark()


@pytest.fixture
def proxy(spark):
    server = grpc.server(ThreadPoolExecutor(4))
    base_pb2_grpc.add_SparkConnectServiceServicer_to_server(spark, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Proxy(f"127.0.0.1:{port}", volumes="/work/Volumes") as proxy:
        yield proxy
    server.stop(None)


@pytest.fixture
def client(proxy):
    with grpc.insecure_channel(proxy.address) as channel:
        yield base_pb2_grpc.SparkConnectServiceStub(channel)


def sql(text):
    return Execute(plan=base_pb2.Plan(root=relations_pb2.Relation(sql=relations_pb2.SQL(query=text))))


def command(**kind):
    return Execute(plan=base_pb2.Plan(command=commands_pb2.Command(**kind)))


def reads(path, kind="parquet"):
    source = relations_pb2.Read.DataSource(format=kind, paths=[path])
    inner = relations_pb2.Relation(read=relations_pb2.Read(data_source=source))
    return Execute(plan=base_pb2.Plan(root=relations_pb2.Relation(limit=relations_pb2.Limit(input=inner))))


def writes(path):
    return command(write_operation=commands_pb2.WriteOperation(source="delta", path=path))


def sets(key):
    pairs = [base_pb2.KeyValue(key=key, value="1")]
    return Config(operation=Config.Operation(set=Config.Set(pairs=pairs)))


def sent(client, request):
    if isinstance(request, Execute):
        return list(client.ExecutePlan(request))
    if isinstance(request, base_pb2.AddArtifactsRequest):
        return client.AddArtifacts(iter([request]))
    return client.AnalyzePlan(request) if isinstance(request, Analyze) else client.Config(request)


def test_what_is_allowed_arrives_as_it_was_sent(spark, client):
    requests = [
        sql("SELECT 'CACHE TABLE', 1"),
        sql("SET VAR a = 1"),
        sql("CREATE OR REPLACE TEMP VIEW a AS SELECT 1"),
        sql("CREATE TABLE a USING DELTA AS SELECT 1"),
        reads("/work/Volumes/a/b/landing", "csv"),
        reads("abfss://lake@account.dfs.core.windows.net/a"),
        command(create_dataframe_view=commands_pb2.CreateDataFrameViewCommand(name="a")),
        sets("spark.sql.session.timeZone"),
        Analyze(schema=Analyze.Schema(plan=sql("SELECT 1").plan)),
    ]
    for request in requests:
        request.session_id = "mine"
        sent(client, request)
    assert spark.asked == requests
    assert sent(client, base_pb2.AddArtifactsRequest(session_id="a")).session_id == str(len(requests) + 1)


def test_what_goes_with_a_request_and_an_error_of_the_server_pass(spark, client):
    answers = client.ExecutePlan(sql("fail"), metadata=[("authorization", "mine")])
    with pytest.raises(grpc.RpcError) as failed:
        list(answers)
    assert spark.metadata["authorization"] == "mine"
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such table")
    assert dict(failed.value.trailing_metadata())["why-bin"] == b"\0because"


REFUSED = [
    (sets("spark.sql.adaptive.enabled"), "[CONFIG_NOT_AVAILABLE] Configuration spark.sql.adaptive.enabled is not available."),
    (sql("SET spark.sql.caseSensitive = true"), "Configuration spark.sql.caseSensitive is not available."),
    (Analyze(persist=Analyze.Persist()), "[NOT_SUPPORTED_WITH_SERVERLESS] PERSIST TABLE is not supported"),
    (Analyze(unpersist=Analyze.Unpersist()), "UNPERSIST TABLE is not supported"),
    (sql("cache lazy table a"), "CACHE TABLE is not supported"),
    (command(checkpoint_command=commands_pb2.CheckpointCommand(local=True)), "CHECKPOINT is not supported"),
    (
        command(create_dataframe_view=commands_pb2.CreateDataFrameViewCommand(name="a", is_global=True)),
        "GLOBAL TEMPORARY VIEW is not supported",
    ),
    (sql("SELECT * FROM global_temp.a"), "GLOBAL TEMPORARY VIEW is not supported"),
    (sql("ADD JAR '/Volumes/a.jar'"), "ADD JAR is not supported"),
    (sql("CREATE FUNCTION f AS 'com.example.F' USING JAR 'a.jar'"), "Java function is not supported"),
    (sql("CREATE TABLE a (b INT) STORED AS ORC"), "Hive SerDe is not supported"),
    (reads("/home/exports"), "Local filesystem access is forbidden: /home/exports."),
    (reads("file:///Workspace/exports"), "Local filesystem access is forbidden"),
    (reads("abfss://a@b/c", "excel"), "The data source excel is not supported"),
    (writes("lakehouse/gold/deals"), "Local filesystem access is forbidden: lakehouse/gold/deals."),
    (sql("SELECT * FROM delta.`/tmp/lake/gold/deals`"), "Local filesystem access is forbidden: /tmp/lake/gold/deals."),
    (
        command(write_stream_operation_start=commands_pb2.WriteStreamOperationStart(processing_time_interval="1 second")),
        "[INFINITE_STREAMING_TRIGGER_NOT_SUPPORTED]",
    ),
    (
        base_pb2.AddArtifactsRequest(
            begin_chunk=base_pb2.AddArtifactsRequest.BeginChunkedArtifact(name="jars/a.jar", num_chunks=2)
        ),
        "ADD JAR is not supported",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_serverless_compute_lacks_is_refused_and_does_not_arrive(spark, client, proxy, request_, words):
    with pytest.raises(grpc.RpcError) as failed:
        sent(client, request_)
    assert words in failed.value.details()
    assert not spark.asked
    assert [words in text for text in proxy.take().refused] == [True]
    # as the client of Spark Connect wants it, which makes an AnalysisException of it
    (detail,) = rpc_status.from_call(failed.value).details
    info = error_details_pb2.ErrorInfo()
    detail.Unpack(info)
    assert info.metadata["errorClass"] in failed.value.details()


def test_a_plan_that_the_client_has_compressed_is_looked_into(client):
    inner, kind = command(sql_command=commands_pb2.SqlCommand(sql="CACHE TABLE a")), base_pb2.Plan.CompressedOperation
    data = zstandard.compress(inner.plan.command.SerializeToString())
    with pytest.raises(grpc.RpcError, match="CACHE TABLE"):
        plan = base_pb2.Plan(compressed_operation=kind(data=data, op_type=kind.OP_TYPE_COMMAND))
        sent(client, Execute(plan=plan))


def test_round_trips_and_rows_are_counted_until_they_are_taken(client, proxy):
    for operation in ("first", "second"):
        request = sql("SELECT 1")
        request.operation_id = operation
        sent(client, request)
    sent(client, Analyze(spark_version=Analyze.SparkVersion()))
    sent(client, base_pb2.AddArtifactsRequest())
    sent(client, sets("spark.sql.ansi.enabled"))
    counts = proxy.take()
    assert counts.calls == {"ExecutePlan": 2, "AnalyzePlan": 1, "AddArtifacts": 1, "Config": 1}
    assert counts.round_trips == 4
    assert counts.results == {"first": 30, "second": 30}
    assert counts.sent > 0
    assert proxy.take().round_trips == 0


def job(tmp_path, code):
    (tmp_path / "notebook.py").write_text(code)
    notebook = {"notebook_path": str(tmp_path / "notebook.py"), "base_parameters": {"out": "/Volumes/crm/ops/reports"}}
    return {"parameters": [], "tasks": [{"task_key": "eda", "timeout_seconds": 30, "notebook_task": notebook}]}


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("open('report.txt', 'w').close()", "wrote report.txt into the folder it ran in"),
        ("import medallion_of_the_lock", "ModuleNotFoundError: No module named 'medallion_of_the_lock'"),
        ("raise SystemExit(1)", "failed:\nSystemExit: 1"),
        ("import os, pathlib\nassert not os.environ.get('SECRET')\npathlib.Path('empty').mkdir()", ""),
        ("dbutils.widgets.text('out', '')\nassert dbutils.widgets.get('out').startswith('VOLUMES/crm/')", ""),
    ],
)
def test_a_task_must_run_in_the_jobs_environment_and_leave_nothing_beside_it(tmp_path, monkeypatch, code, wrong):
    monkeypatch.setenv("SECRET", "of the one who rehearses")
    volumes = tmp_path / "Volumes"
    whole = job(tmp_path, code.replace("VOLUMES", str(volumes)))
    stage = Stage(tmp_path, Path(sys.executable), whole, volumes, "127.0.0.1:1")
    run = stage.run("first day", stage.job["tasks"][0])
    assert [wrong in text for text in run.wrong] == ([True] if wrong else []), run.wrong


def test_tasks_run_after_those_that_they_depend_on():
    tasks = [{"task_key": "b", "depends_on": [{"task_key": "a"}]}, {"task_key": "a"}]
    assert [task["task_key"] for task in ordered({"tasks": tasks})] == ["a", "b"]


def test_what_exceeds_a_budget_is_told():
    first, *_ = ROUNDS
    runs = [Run(first, "a", round_trips=70, largest_result=3 << 20), Run(first, "b", round_trips=51)]
    assert over_budget(runs, {"round_trips": {first: 121}, "largest_result_mib": 3}) == []
    trips, size = over_budget(runs, {"round_trips": {first: 120}, "largest_result_mib": 2})
    assert trips == "first day: 121 round trips, budget 120"
    assert size == "first day, a: one statement brought 3.0 MiB to the driver, budget 2 MiB"
    assert table(runs).splitlines()[-1].startswith("| first day | all tasks | 0.0 | 0.0 | 0 | 0 | 0 | 121 |")


def test_the_job_may_not_replace_a_package_that_the_platform_brings(tmp_path, monkeypatch):
    pins = tmp_path / "platform.txt"
    pins.write_text("# theirs\npyarrow==21.0.0\nsix==1.17.0\n")
    listed = type("Done", (), {"stdout": "pyarrow==22.0.0\nsix==1.17.0\n"})
    monkeypatch.setattr(environment, "_uv", lambda *_: listed)
    assert environment._replaced(sys.executable, [pins]) == ["pyarrow 21.0.0 by 22.0.0"]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "-n", "0"]))
