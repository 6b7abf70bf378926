"""The files of the page: all are there, as what they are, and nothing else is."""

import re
from importlib import resources
from urllib.parse import urljoin

import pytest

from control.assets import MEDIA_TYPES, asset
from control.rules import RULES

PAGE = resources.files("control") / "page"
PATHS = ["/", *(f"/page/{file.name}" for file in PAGE.iterdir() if file.name != "index.html")]
BYTES_MAX = 128 * 1024
"""Of the whole page: it is looked at over bad lines, too."""


@pytest.mark.parametrize("path", PATHS)
def test_asset_of_the_page_is_served_as_what_it_is(path: str) -> None:
    found = asset(path)

    assert found is not None
    assert found.media_type in MEDIA_TYPES.values()
    assert re.fullmatch(r'"[0-9a-f]{32}"', found.etag)


def test_index_is_html() -> None:
    index = asset("/")

    assert index is not None
    assert index.media_type == "text/html; charset=utf-8"
    assert index.body.startswith(b"<!doctype html>")


def test_asset_asked_for_again_has_the_same_tag() -> None:
    assert asset("/page/style.css") == asset("/page/style.css")
    assert len({found.etag for path in PATHS if (found := asset(path))}) == len(PATHS)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/page/",
        "/page/index.html",
        "/page",
        "/page/../assets.py",
        "/page/%2e%2e/assets.py",
        "/page/no.js",
        "//page.js",
    ],
)
def test_asset_of_another_path_is_none(path: str) -> None:
    assert asset(path) is None


def test_every_address_in_the_page_is_an_asset_of_this_host() -> None:
    """Whatever a file loads lies beside it: no address leads elsewhere, and none into the void."""
    missing = []
    for path in PATHS:
        found = asset(path)
        assert found is not None
        text = found.body.decode()
        addresses = re.findall(r'(?:\b(?:src|href)=|\bfrom |\bimport |\burl\()"([^"#]+)"', text)
        missing += [f"{path}: {address}" for address in addresses if asset(urljoin(path, address)) is None]
        foreign = re.findall(r"\w+://\S+", text.replace("http://www.w3.org/2000/svg", ""))
        assert foreign == [], path

    assert missing == []


def test_page_has_no_inline_style_script_or_markup_from_data() -> None:
    """What its policy would refuse, and what would let a producer's name become markup."""
    texts = {path: found.body.decode() for path in PATHS if (found := asset(path))}
    html = texts["/"]

    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|<form[^>]*\saction=", html) == []
    scripts = "".join(text for path, text in texts.items() if path.endswith(".js"))
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", scripts) == []


def test_page_is_small() -> None:
    assert sum(len(found.body) for path in PATHS if (found := asset(path))) < BYTES_MAX


def test_page_has_a_title_for_every_alert() -> None:
    found = asset("/page/alerts.js")
    assert found is not None
    titles = found.body.decode().partition("const TITLES = {")[2].partition("};")[0]

    assert {line.split(":")[0].strip() for line in titles.strip().splitlines()} == {rule.name for rule in RULES}
