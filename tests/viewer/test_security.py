"""The page answers only this machine, this user, this page, and only to look."""

import asyncio
import http.client
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from hirescam.viewer.app import build_app
from hirescam.viewer.cases import Case
from hirescam.viewer.deadline import SECONDS
from hirescam.viewer.security import LARGEST_HEADERS, LONGEST_ADDRESS


def ask(address, path="", *, method="GET", token=None, headers=(), body=None):
    """Status, headers and body of one request; `path` follows the token."""
    parts = urlsplit(address)
    own = {"Host": parts.netloc} | dict(headers)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        connection.putrequest(
            method,
            f"/{token or parts.path.strip('/')}/{path}",
            skip_host=True,
            skip_accept_encoding=True,
        )
        for name, value in own.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_the_page_answers_to_the_address_that_was_printed(address):
    status, headers, body = ask(address)
    assert status == 200
    assert b"viewer.js" in body
    assert headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'"
    )
    assert "unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_both_names_of_this_machine_are_known(address, name):
    port = urlsplit(address).port
    assert ask(address, headers={"Host": f"{name}:{port}"})[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", ""]
)
def test_a_foreign_host_is_refused(address, host):
    port = urlsplit(address).port
    assert ask(address, headers={"Host": host.format(port=port)})[0] == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_foreign_origin_is_refused(address, headers):
    assert ask(address, "cases.json", headers=headers)[0] == 403


@pytest.mark.parametrize("token", ["x", "..", "%2e%2e", "A" * 32])
def test_a_missing_or_wrong_token_is_refused(address, token):
    status, _, body = ask(address, "cases.json", token=token)
    assert status == 403
    assert b"open the address that was printed" in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_anything_but_get_is_refused(address, method):
    assert ask(address, method=method)[0] == 405


def test_a_request_that_sends_something_is_refused(address):
    assert ask(address, headers={"Content-Length": "1000000"}, body=b"x")[0] == 413
    assert ask(address, headers={"Transfer-Encoding": "chunked"}, body=b"0\r\n\r\n")[0] == 413


def test_an_oversized_address_is_refused(address):
    assert ask(address, "x" * LONGEST_ADDRESS)[0] == 414


def test_oversized_headers_are_cut_off_and_the_page_lives_on(address):
    try:
        status, _, _ = ask(address, headers={"X": "x" * 8 * LARGEST_HEADERS})
    except OSError:
        status = 400  # cut off before it was sent whole
    assert status == 400
    assert ask(address)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "case/0/../../../../../../etc/passwd",
        "case/0/%2e%2e/%2e%2e/case-2/summary.json",
        "case/0/..%2f..%2fsecret.txt",
        "case/0//etc/passwd",
        "case/0/maps/..%5c..%5csecret.txt",
        "case/0/pictures/lung_nodule.png",
        "case/0/linked.nii.gz",
        "case/9/summary.json",
        "case/-1/summary.json",
        "other/0/summary.json",
        "viewer.js/../../x",
    ],
)
def test_only_the_files_of_a_case_are_given(address, folder, path):
    (folder / "secret.txt").write_text("secret")
    status, headers, body = ask(address, path)
    assert status == 404
    assert b"secret" not in body
    assert "content-security-policy" in headers


def test_a_summary_that_names_files_elsewhere_opens_none_of_them(folder, tmp_path):
    from hirescam.viewer.app import _file

    (tmp_path / "secret").write_text("secret")
    home = tmp_path / "case"
    home.mkdir()
    (home / "link").symlink_to(tmp_path / "secret")
    for name in ("../secret", str(tmp_path / "secret"), "link"):
        summary = {
            "provenance": {"method": "hirescam"},
            "findings": [{"label": "x", "files": {"map": name}}],
        }
        with pytest.raises(Exception, match="no such file"):
            _file(Case("case", home.resolve(), summary), name)


def test_nothing_listens_beyond_this_machine(address):
    port = urlsplit(address).port
    outside = socket.gethostbyname(socket.gethostname())
    if outside.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((outside, port), timeout=5)


def test_every_case_and_its_scene_are_told(address):
    cases = json.loads(ask(address, "cases.json")[2])
    assert [case["name"] for case in cases] == ["case-1", "case-2"]
    scene = json.loads(ask(address, "case/0/scene.json")[2])
    assert scene["maps"].keys() == {"hirescam", "gradcam"}
    assert scene["organs"]["names"] == {"1": "right_lung", "2": "left_lung", "3": "mediastinum"}
    assert scene["words"]["lung_nodule"][0]["evidence"] == "nodule"


@pytest.mark.parametrize("path", ["case/0/%00", "case/0/scan%00.nii.gz", "%00", "case/0/a/%00"])
def test_a_zero_byte_names_no_file(address, path):
    assert ask(address, path)[0] == 404


def connected(address):
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def test_half_sent_requests_shut_nobody_out(address):
    half = [connected(address) for _ in range(100)]
    try:
        for each in half:
            each.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert ask(address)[0] == 200
    finally:
        for each in half:
            each.close()


def test_a_half_sent_request_is_cut_off(address):
    with connected(address) as half:
        half.sendall(b"GET / HTTP/1.1\r\nHost: ")
        start = time.monotonic()
        assert half.recv(100) == b""
        assert time.monotonic() - start < SECONDS + 10


def test_a_word_that_opens_the_page_does_so_once():
    """A browser is started with it, where other users can read it."""
    app, answers = build_app((), port=80, token="token", once="once"), []

    async def send(message):
        answers.append(message)

    for path in ("/once", "/once", "/token/cases.json"):
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode()}
        scope |= {"query_string": b"", "headers": [(b"host", b"127.0.0.1:80")]}
        asyncio.run(app(scope, None, send))
    first, refused, told = (each for each in answers if each["type"] == "http.response.start")
    assert first["status"] == 303
    assert (b"location", b"/token/") in first["headers"]
    assert refused["status"] == 403
    assert told["status"] == 200


@pytest.mark.parametrize("name", ["organs.nii.gz", "scan.nii.gz", "summary.json", "maps/x.gz"])
def test_no_link_leads_out_of_a_folder(tmp_path, name):
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "case"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).symlink_to(tmp_path / "secret")
    case = Case("case", folder.resolve(), {"organs": {}, "findings": []})
    assert case.file(name) is None
