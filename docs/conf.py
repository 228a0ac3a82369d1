"""The documentation site: `just docs-site`. Pages stay where they are known; Sphinx reads them from the root of the repository.

Sphinx with MyST rather than Material for MkDocs, since MkDocs 1 is no longer maintained and its successor is still young.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent

project = "Medallion"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/**.md",
    "dashboards/*.md",
    "data/README.md",
    "examples/**.md",
    "models/model_card.md",
    "presentation/presentation_notes.md",
]
# Folders that are never looked into, so that finding the pages takes no time.
exclude_patterns = [".*", "build", "dist", "src", "tests", "lakehouse", "**/node_modules"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "Medallion"
html_show_copyright = False
html_copy_source = False
html_permalinks = False


def _folder_links(app: Sphinx, document: nodes.document) -> None:
    """Turn a link to a folder into a link to its page, or into plain text where it has none."""
    for link in list(document.findall(addnodes.pending_xref)):
        folder = (ROOT / app.env.docname).parent / link["reftarget"]
        if link.get("refdomain") is None and folder.is_dir():
            page = (folder / "README").resolve().relative_to(ROOT).as_posix()
            if page in app.env.found_docs:
                link["refdomain"], link["reftarget"], link["reftargetid"] = "doc", page, None
            else:
                link.replace_self(link.children)


def _first_page(app: Sphinx, _: Exception | None) -> None:
    """Lead from the root of the site to its first page."""
    page = '<!doctype html><title>Medallion</title><meta http-equiv="refresh" content="0; url=docs/index.html">\n'
    (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    for language in ("mermaid", "csv"):  # shown as text
        app.add_lexer(language, TextLexer)
    app.connect("doctree-read", _folder_links)
    app.connect("build-finished", _first_page)
