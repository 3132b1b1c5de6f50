"""Links between the documents, and to what lies beside them, lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", _prose(document)))
    assert [link for link in links if not link.startswith("http") and _dead(document, link)] == []


def _dead(document: Path, link: str) -> bool:
    name, _, heading = link.partition("#")
    path = document.parent / name if name else document
    return not path.exists() or (bool(heading) and heading not in _headings(path))


def _prose(document: Path) -> str:
    return re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)


def _headings(document: Path) -> set[str]:
    """As GitHub makes anchors of them; a second one of a name gets a number."""
    slugs: list[str] = []
    for heading in re.findall(r"^#+ +(.*)$", _prose(document), flags=re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slugs.append(re.sub(r"[^\w -]", "", text).replace(" ", "-"))
    return {
        slug + (f"-{slugs[:place].count(slug)}" if slug in slugs[:place] else "")
        for place, slug in enumerate(slugs)
    }
