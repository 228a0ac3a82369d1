// Answers Malloy queries over the Parquet files of a folder, in one process: a line of JSON in, a line of JSON out.
// The first line is {"model": TEXT}, each other {"query": TEXT}; the answers are {"rows": [...]} or {"error": TEXT}.
// Usage: node run.mjs FOLDER_OF_PACKAGES FOLDER_OF_TABLES
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

const [packages, tables] = process.argv.slice(2).map((one) => path.resolve(one));
const require = createRequire(path.join(packages, 'package.json'));
const { SingleConnectionRuntime } = require('@malloydata/malloy');
const { DuckDBConnection } = require('@malloydata/db-duckdb');

const connection = new DuckDBConnection({
  name: 'duckdb',
  databasePath: ':memory:',
  workingDirectory: tables,
  securityPolicy: 'sandboxed', // nothing but these files, and nothing from the net
  allowedDirectories: [`${tables}/`],
  threads: 1,
});
for (const file of fs.readdirSync(tables)) {
  const name = file.replace(/\.parquet$/, '');
  await connection.runSQL(`create schema if not exists ${name.split('.')[0]}`);
  await connection.runSQL(`create table ${name} as from read_parquet('${path.join(tables, file)}')`);
}

let model;
async function answer({ model: text, query }) {
  if (text !== undefined) {
    model = new SingleConnectionRuntime({ connection }).loadModel(text);
    await model.getModel();
    return [];
  }
  return (await model.loadQuery(query).run({ rowLimit: 1_000_000 })).data.toObject();
}

const plain = (key, value) => (typeof value === 'bigint' ? Number(value) : value);
for await (const line of readline.createInterface({ input: process.stdin })) {
  const told = await answer(JSON.parse(line)).then((rows) => ({ rows }), (error) => ({ error: String(error) }));
  process.stdout.write(`${JSON.stringify(told, plain)}\n`);
}
await connection.close();
