"""The person: a browser on the desk, WeChat's own browser, and a phone, each no more than cookies and forms."""

import http.client
import queue
import re
import socket
import ssl
import threading
import time
from html.parser import HTMLParser
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit, urlunsplit

DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
PHONE = ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/138.0.0.0 "
         "Mobile Safari/537.36 MicroMessenger/8.0.60 NetType/WIFI Language/zh_CN")
POLL = re.compile(r"\Awindow\.wx_errcode=(\d{3});window\.wx_code='([0-9A-Za-z]*)';\Z")


class Stuck(Exception):
    """The pages did not lead where a person would expect."""


class _Forms(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.forms, self.title, self.words, self.refresh, self.data = [], "", [], None, {}
        self._open, self._inside = None, ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        has = {name: value or "" for name, value in attributes}
        if "data-uuid" in has:
            self.data = has
        if tag in ("title", "script", "style"):
            self._inside = tag
        elif tag == "meta" and has.get("http-equiv", "").lower() == "refresh":
            found = re.search(r"url\s*=\s*['\"]?([^'\"]+)", has.get("content", ""), re.I)
            self.refresh = found and found.group(1).strip()
        elif tag == "form":
            self._open = {"id": has.get("id"), "action": has.get("action", ""),
                          "method": has.get("method", "get").upper(), "fields": [], "names": set(), "buttons": []}
            self.forms.append(self._open)
        elif tag in ("input", "button", "textarea", "select"):
            self._field(tag, has)

    def _field(self, tag, has):
        form = next((one for one in self.forms if has.get("form") and one["id"] == has["form"]), self._open)
        if form is None or "disabled" in has:
            return
        kind = has.get("type", "submit" if tag == "button" else "text").lower()
        if kind in ("submit", "image"):
            form["buttons"].append({key: has.get(key) for key in ("name", "value", "formaction")})
        elif kind not in ("button", "reset", "file") and has.get("name"):
            if kind != "hidden":
                form["names"].add(has["name"])
            if kind not in ("checkbox", "radio") or "checked" in has:
                form["fields"].append((has["name"], has.get("value", "on" if kind == "checkbox" else "")))

    def handle_endtag(self, tag):
        if tag == "form":
            self._open = None
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data):
        if self._inside == "title":
            self.title += data
        elif not self._inside and data.strip():
            self.words.append(data.strip())


class Page:
    def __init__(self, url, status, headers, body):
        self.url, self.status, self.headers, self.body = url, status, headers, body

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def parse(self):
        return _Forms(self.text)

    def __str__(self):
        seen = self.parse()
        path = urlsplit(self.url).path
        return f"{path} answered {self.status} “{seen.title.strip()}”: {' '.join(seen.words)[:160]}"


class Browser:
    """Cookies for one person on one device."""

    def __init__(self, world, person, agent):
        self.world, self.person, self.agent = world, person, agent
        self.cookies = {}

    def _send(self, method, url, body, headers):
        parts = urlsplit(url)
        if parts.scheme == "https":
            # Straight to this worker's front, under the name the library wrote.
            connection = http.client.HTTPSConnection(parts.hostname, 443, timeout=45, context=self.world.tls)
            connection.sock = self.world.tls.wrap_socket(
                socket.create_connection((self.world.address, 443), 45), server_hostname=parts.hostname)
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=45)
        try:
            target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            connection.request(method, target, body, {"Host": parts.netloc, "User-Agent": self.agent,
                                                      "Accept-Language": "zh-CN,zh;q=0.9", **headers})
            answer = connection.getresponse()
            return Page(url, answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def open(self, url, form=None, came_from=None, stop=None, accept="text/html,*/*;q=0.8"):
        """Loads a page, following redirects on the platform's hosts. A redirect to `stop` is returned as text."""
        method = "POST" if form is not None else "GET"
        site = "same-origin" if came_from and _origin(came_from.url) == _origin(url) else "cross-site"
        for _ in range(12):
            jar = self.cookies.setdefault(urlsplit(url).netloc, {})
            headers = {"Accept": accept, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
            if jar:
                headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
            if method == "POST":
                headers["Content-Type"] = "application/x-www-form-urlencoded"
                # A page that allows no referrer makes browsers withhold the origin as well.
                silent = came_from and came_from.header("referrer-policy").strip().lower() == "no-referrer"
                headers["Origin"] = "null" if silent else _origin(came_from.url if came_from else url)
            page = self._send(method, url, urlencode(form).encode() if method == "POST" else None, headers)
            self._remember(jar, page)
            location = page.header("location")
            if page.status not in (301, 302, 303, 307, 308) or not location:
                return page
            url = urljoin(url, location)
            if stop and _same_place(url, stop):
                return url
            if urlsplit(url).netloc not in self.world.netlocs:
                raise Stuck(f"sent off to {url}")
            if page.status not in (307, 308):
                method, form = "GET", None
        raise Stuck(f"too many redirects, at {url}")

    def _remember(self, jar, page):
        for name, value in page.headers:
            if name.lower() != "set-cookie":
                continue
            pair, *rest = value.split(";")
            key, _, text = pair.strip().partition("=")
            if any(part.strip().lower() == "max-age=0" for part in rest) or not text:
                jar.pop(key, None)
            else:
                jar[key] = text

    def walk(self, url, allow=True, stop=None):
        """Acts on page after page as the person would; returns the callback URL, or the page that asks nothing more."""
        page = self.open(url, stop=stop)
        signed_in = answered = False
        for _ in range(8):
            if isinstance(page, str):
                return page
            seen = page.parse()
            sign_in = next((form for form in seen.forms if "password" in form["names"]), None)
            consent = next((form for form in seen.forms if _button(form, "allow")), None)
            if sign_in:
                if signed_in:
                    raise Stuck(f"asked to sign in again: {page}")
                signed_in = True
                filled = {"phone": self.person["phone"], "password": self.person["password"]}
                page = self._submit(page, sign_in, _button(sign_in, "sign_in") or next(iter(sign_in["buttons"]), None), filled, stop)
            elif consent and not answered:
                answered = True
                wanted = ("allow",) if allow else ("deny", "cancel")
                choices = ((form, _button(form, act)) for act in wanted for form in seen.forms)
                choice = next(((form, button) for form, button in choices if button), None)
                if not choice:
                    raise Stuck(f"no way to say {' or '.join(wanted)}: {page}")
                page = self._submit(page, *choice, {}, stop)
            elif seen.refresh:
                target = urljoin(page.url, seen.refresh)
                page = target if stop and _same_place(target, stop) else self.open(target, stop=stop)
            else:
                return page
        raise Stuck(f"no end to the pages: {page}")

    def _submit(self, page, form, button, filled, stop):
        fields = [(name, filled.pop(name, value)) for name, value in form["fields"]] + list(filled.items())
        if button and button["name"]:
            fields.append((button["name"], button["value"] or ""))
        target = urljoin(page.url, (button or {}).get("formaction") or form["action"] or page.url)
        if form["method"] == "GET":
            return self.open(target.partition("?")[0] + "?" + urlencode(fields), came_from=page, stop=stop)
        return self.open(target, form=fields, came_from=page, stop=stop)


def _button(form, act):
    return next((one for one in form["buttons"] if one["name"] == "act" and one["value"] == act), None)


def _origin(url):
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _same_place(url, redirect):
    return urlsplit(url)[:3] == urlsplit(redirect)[:3]


class World:
    """What a person finds on one worker's network."""

    def __init__(self, address, authority, hosts, platform, person, refuser):
        self.address = address
        self.tls = ssl.create_default_context(cafile=str(authority))
        self.netlocs = {*hosts, urlsplit(platform).netloc}
        self.person, self.refuser = person, refuser
        # Phones stay signed in from one driver to the next, as phones do.
        self.phones = {who["phone"]: Browser(self, who, PHONE) for who in (person, refuser)}

    def authorize(self, url, redirect, refuse=False):
        """Follows an authorize URL to its end. Returns the callback URL; None when a refusal leads to no callback."""
        person = self.refuser if refuse else self.person
        # A fragment never leaves the browser.
        url = url.partition("#")[0]
        if urlsplit(url).path == "/connect/qrconnect":
            return self._scan(url, redirect, person, allow=not refuse)
        end = self.phones[person["phone"]].walk(url, allow=not refuse, stop=redirect)
        if not isinstance(end, str):
            raise Stuck(f"no callback: {end}")
        return end

    def _scan(self, url, redirect, person, allow):
        desk = Browser(self, person, DESKTOP)
        page = desk.open(url)
        found = re.search(r'/connect/qrcode/([^"]+)"', page.text)
        if not found:
            raise Stuck(f"no QR code on the page: {page}")
        uuid = found.group(1)
        image = desk.open(urljoin(url, f"/connect/qrcode/{uuid}"), came_from=page, accept="image/*")
        if image.status != 200 or image.header("content-type") != "image/jpeg" or image.body[:2] != b"\xff\xd8":
            raise Stuck(f"the QR code is no JPEG: {image.status} {image.header('content-type')}")
        # The page polls while the phone is busy, as it does for a person.
        told = queue.SimpleQueue()
        # yufu's page names the address it polls; the platform's script has it built in.
        data = page.parse().data
        poll = urljoin(url, data.get("data-poll", "https://lp.open.weixin.qq.com/connect/l/qrconnect")) + f"?uuid={uuid}"
        threading.Thread(target=self._poll, args=(desk, poll, told), daemon=True).start()
        last = self.phones[person["phone"]].walk(f"https://open.weixin.qq.com/connect/confirm?uuid={uuid}", allow)
        try:
            end = told.get(timeout=30)
        except queue.Empty:
            raise Stuck(f"the poll never heard of it; the phone's last page: {last}") from None
        if isinstance(end, Exception):
            raise Stuck(f"{end}; the phone's last page: {last}")
        errcode, code = end
        if errcode == "405" and allow:
            # What the page does not hand its script, the script cannot hand back.
            state = data.get("data-state") if data else state_of(url)
            return _append(data.get("data-redirect", redirect_of(url)), code, state)
        if errcode == "403" and not allow:
            return None
        raise Stuck(f"the poll ended with {errcode}; the phone's last page: {last}")

    @staticmethod
    def _poll(desk, poll, told):
        last = ""
        try:
            while True:
                answer = desk.open(poll + last, accept="*/*")
                said = POLL.match(answer.text)
                if answer.status != 200 or answer.header("content-type") != "text/javascript" or not said:
                    raise Stuck(f"the poll answered {answer.status} {answer.header('content-type')} {answer.text[:80]!r}")
                if said.group(1) not in ("404", "408"):
                    return told.put(said.groups())
                if said.group(1) == "404":
                    last = "&last=404"
                    time.sleep(0.1)
        except (Stuck, OSError, http.client.HTTPException) as problem:
            told.put(problem)


def redirect_of(url):
    return parse_qs(urlsplit(url).query)["redirect_uri"][0]


def state_of(url):
    return parse_qs(urlsplit(url).query, keep_blank_values=True).get("state", [None])[0]


def _append(redirect, code, state):
    """What the QR page's script does: code and state, before any fragment."""
    base, hash_, fragment = redirect.partition("#")
    mark = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
    return base + mark + f"code={code}" + ("" if state is None else f"&state={quote(state, safe='')}") + hash_ + fragment
