"""A TLS front: what the client says goes to yufu as it is, and back as it is, except for the break asked for.

Every worker of the run has a front of its own, on an address of its own, so a front knows whose calls it carries.
"""

import http.client
import json
import re
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

TOKEN_PATHS = ("/sns/oauth2/access_token", "/sns/oauth2/refresh_token")
PROFILE_PATH = "/sns/userinfo"


class Answer:
    """One answer under /sns/, as the client got it, with the question that led to it."""

    def __init__(self, method, path, sent, accept, status, content_types, body, broken):
        self.method, self.path, self.sent, self.accept = method, path, sent, accept
        self.status, self.content_types, self.body = status, content_types, body
        self.broken = broken

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        try:
            value = json.loads(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    @property
    def failed(self):
        return "access_token" not in (self.json or {}) and "nickname" not in (self.json or {})


# A break takes (path, status, headers, body) and returns the same without the path, or None to leave the answer
# alone. The five of BREAKS are tried on every driver; they work on bytes, so that nothing but the one detail changes.

def _is_error(body):
    return re.match(rb'\{"errcode":-?[1-9]', body) is not None


def _charset(path, status, headers, body):
    if path != PROFILE_PATH:
        return None
    headers = [(name, "text/plain; charset=utf-8" if name.lower() == "content-type" else value) for name, value in headers]
    return status, headers, body


def _errcode_in_success(path, status, headers, body):
    if path not in (*TOKEN_PATHS, PROFILE_PATH) or _is_error(body):
        return None
    return status, headers, b'{"errcode":0,' + body[1:]


def _string_errcode(path, status, headers, body):
    changed = re.sub(rb'"(errcode|expires_in)":(-?\d+)', rb'"\1":"\2"', body)
    return None if changed == body else (status, headers, changed)


def _token_type(path, status, headers, body):
    if path not in TOKEN_PATHS or _is_error(body):
        return None
    return status, headers, body[:-1] + b',"token_type":"bearer"}'


def _http_400(path, status, headers, body):
    return (400, headers, body) if _is_error(body) else None


BREAKS = {
    "charset": _charset,
    "errcode0": _errcode_in_success,
    "string-errcode": _string_errcode,
    "token-type": _token_type,
    "http400": _http_400,
}

# Smaller ones, tried on one driver: they prove the rest of the contract check. Name -> (break, the finding it must raise).

def _rewrite(paths, change, **spelling):
    def break_(path, status, headers, body):
        if path not in paths or _is_error(body):
            return None
        said = json.loads(body)
        said = change(said) or said
        spelled = json.dumps(said, **{"ensure_ascii": False, "separators": (",", ":"), **spelling}).replace("/", "\\/")
        return status, headers, spelled.encode()
    return break_


def _in_error(old, new):
    return lambda path, status, headers, body: (status, headers, re.sub(old, new, body)) if re.search(old, body) else None


_PROFILE, _RENEWAL = (PROFILE_PATH,), TOKEN_PATHS[1:]
FINE_BREAKS = {
    "escaped": (_rewrite(_PROFILE, dict, ensure_ascii=True), "shape"),
    "spaced": (_rewrite(_PROFILE, dict, separators=(", ", ": ")), "shape"),
    "bare slash": (lambda path, status, headers, body: (status, headers, body.replace(b"\\/", b"/")) if b"\\/" in body else None, "shape"),
    "other order": (_rewrite(TOKEN_PATHS, lambda said: dict(sorted(said.items()))), "shape"),
    "no unionid": (_rewrite(_PROFILE, lambda said: said.pop("unionid") and None), "shape"),
    "null": (_rewrite(_PROFILE, lambda said: said.update(privilege=None)), "shape"),
    "other openid": (_rewrite(_PROFILE, lambda said: said.update(openid=said["openid"][::-1])), "subject"),
    "plain nickname": (_rewrite(_PROFILE, lambda said: said.update(nickname="Zoe")), "nickname"),
    "new access token": (_rewrite(_RENEWAL, lambda said: said.update(access_token=said["access_token"][::-1])), "tokens"),
    "new refresh token": (_rewrite(_RENEWAL, lambda said: said.update(refresh_token=said["refresh_token"][::-1])), "tokens"),
    "no rid": (_in_error(rb",? rid: [0-9a-f-]+", b""), "shape"),
    "40029": (_in_error(rb"40163", b"40029"), "missing"),
}
EXPECTED = {**{name: name for name in BREAKS}, **{name: kind for name, (_, kind) in FINE_BREAKS.items()}}
_ALL = {**BREAKS, **{name: break_ for name, (break_, _) in FINE_BREAKS.items()}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def carry(self):
        front = self.server.front
        body = self._request_body()
        upstream = http.client.HTTPConnection(*front.upstream, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() == "transfer-encoding":
                    name, value = "Content-Length", str(len(body))
                upstream.putheader(name, value)
            upstream.endheaders(body or None)
            answer = upstream.getresponse()
            status, headers, got = answer.status, answer.getheaders(), answer.read()
        except (OSError, http.client.HTTPException) as problem:
            front.problems.append(f"{self.command} {self.path}: {problem!r}")
            self.close_connection = True
            return
        finally:
            upstream.close()
        status, headers, got = front.pass_on(self, body, status, headers, got)
        self.send_response_only(status, answer.reason if status == answer.status else None)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding"):
                self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(got)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(got)

    do_GET = do_POST = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = carry

    def _request_body(self):
        if "chunked" not in (self.headers.get("Transfer-Encoding") or "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def get_request(self):
        plain, address = super().get_request()
        # The handshake happens in the handler's thread: a slow client must not hold the others.
        return self.front.tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def finish_request(self, request, address):
        request.settimeout(20)
        try:
            request.do_handshake()
        except (OSError, ssl.SSLError) as problem:
            self.front.problems.append(f"TLS: {problem}")
            return
        super().finish_request(request, address)

    def handle_error(self, request, address):
        pass  # a client that hangs up is no event; what counts is what the driver says


class Front:
    def __init__(self, address, upstream, certificate, key):
        self.address, self.upstream = address, upstream
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self.tls.set_alpn_protocols(["http/1.1"])
        self.begin(None)
        _Server.address_family = socket.AF_INET
        self._server = _Server((address, 443), _Handler)
        self._server.front = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def begin(self, broken):
        """From now on: a new driver, with this break or none."""
        self.broken, self.answers, self.problems = broken, [], []

    def pass_on(self, asked, form, status, headers, body):
        target = urlsplit(asked.path)
        if not target.path.startswith("/sns/"):
            return status, headers, body
        changed = _ALL[self.broken](target.path, status, headers, body) if self.broken else None
        if changed:
            status, headers, body = changed
        sent = dict(parse_qsl(form.decode("utf-8", "replace"), keep_blank_values=True))
        sent.update(parse_qsl(target.query, keep_blank_values=True))
        types = [value for name, value in headers if name.lower() == "content-type"]
        accept = asked.headers.get("Accept") or ""
        self.answers.append(Answer(asked.command, target.path, sent, accept, status, types, body, bool(changed)))
        return status, headers, body

    def close(self):
        self._server.shutdown()
        self._server.server_close()
