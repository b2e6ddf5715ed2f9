"""No log line, error or traceback holds the key, the token or a person's address."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from helpers.fake_server import Answer, Scripted, empty
from helpers.runner import KEY, TOKEN, command, config
from singer_sdk.exceptions import FatalAPIError

from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from pathlib import Path

PERSON = "jo.doe@mail.example.com"
SAYS_TOO_MUCH = [
    {"error_key": "json.email.invalid", "error_message": f"{PERSON} with {KEY} and {TOKEN} is bad"}
]


def quick(url: str, **settings: Any) -> dict[str, Any]:
    return {**config(SimpleNamespace(url=url)), **settings}


def says_nothing(text: str) -> bool:
    return not any(secret in text for secret in (KEY, TOKEN, PERSON, KEY.replace("-", "%2D")))


def people(*rows: dict[str, Any], link: str | None = None) -> Answer:
    pagination = {"next_link": link} if link else {}
    return Answer(200, {"meta": {"pagination": pagination}, "results": rows})


ANSWERS = {
    "400": Answer(400, SAYS_TOO_MUCH),
    "401": Answer(401, SAYS_TOO_MUCH),
    "403": Answer(403, SAYS_TOO_MUCH),
    "404": Answer(404, SAYS_TOO_MUCH),
    "redirect": Answer(302, b"", Location=f"http://127.0.0.1:9/?api_key={KEY}"),
    "unknown field": people({"id": "1", PERSON: 1, KEY: 1, "x": PERSON}),
    "row without key": people({"first_name": PERSON}),
    "foreign link": people(link=f"//x.example/?{KEY}"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_answers_give_nothing_away(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    def say(path: str, _params: dict[str, str]) -> Answer:
        is_wanted = answer.status != 200 or path == "/v2/contacts"
        return answer if is_wanted else Answer(200, empty(path))

    caplog.set_level(logging.DEBUG)
    told = ""
    with Scripted(say) as server:
        try:
            TapConstantContact(config=quick(server.url)).sync_all()
        except FatalAPIError as error:
            told = str(error)

    assert says_nothing(caplog.text)
    assert says_nothing(told)
    assert len(caplog.text.splitlines()) > 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v2", "https://127.0.0.1:9/v2"])
def test_failed_connections_give_nothing_away(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tap = TapConstantContact(config=quick(url))
    with pytest.raises(FatalAPIError) as raised:
        tap.sync_all()

    error: BaseException | None = raised.value
    while error is not None:
        assert says_nothing(str(error))
        error = error.__cause__ or error.__context__
    assert says_nothing(caplog.text)
    assert "127.0.0.1:9/v2?" not in caplog.text


@pytest.mark.slow
def test_unexpected_exception_does_not_leak_secrets(tmp_path: Path) -> None:
    """A stand-in for a fault of ours or a library's that quotes the URL in its traceback."""
    (tmp_path / "sitecustomize.py").write_text(
        "import requests\n"
        "def send(self, request, **kwargs):\n"
        "    raise RuntimeError(f'{request.url} {request.headers}')\n"
        "requests.Session.send = send\n"
    )
    run = command(tmp_path, quick("http://127.0.0.1:9/v2"), PYTHONPATH=str(tmp_path))

    assert run.code == 1
    assert "RuntimeError" in run.log
    assert "<api_key>" in run.log
    assert says_nothing(run.log)


@pytest.mark.slow
def test_structured_logs_give_nothing_away(tmp_path: Path) -> None:
    (tmp_path / "log.yml").write_text(
        "version: 1\n"
        "disable_existing_loggers: false\n"
        "formatters: {json: {(): singer_sdk.logging.StructuredFormatter}}\n"
        "handlers: {err: {class: logging.StreamHandler, formatter: json, stream: ext://sys.stderr}}\n"
        "root: {level: DEBUG, handlers: [err]}\n"
    )
    (tmp_path / "sitecustomize.py").write_text(
        "import requests\n"
        "def send(self, request, **kwargs):\n"
        "    try:\n"
        "        raise RuntimeError(request.url)\n"
        "    except RuntimeError as error:\n"
        "        raise KeyError(str(request.headers)) from error\n"
        "requests.Session.send = send\n"
    )
    run = command(
        tmp_path,
        quick("http://127.0.0.1:9/v2"),
        PYTHONPATH=str(tmp_path),
        SINGER_SDK_LOG_CONFIG=str(tmp_path / "log.yml"),
    )

    assert run.code == 1
    assert '"level"' in run.log
    assert says_nothing(run.log)


@pytest.mark.slow
def test_the_rows_and_the_catalog_hold_no_secret(tmp_path: Path) -> None:
    with Scripted(lambda path, _params: Answer(200, empty(path))) as server:
        run = command(tmp_path, quick(server.url))
    assert run.code == 0
    assert says_nothing(run.stdout)
