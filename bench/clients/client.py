"""Sends the requests of one list by one library of Python; README.md says how."""
import asyncio
import base64
import io
import sys
import urllib.error
import urllib.parse
import urllib.request


def text(field):
    return base64.b64decode(field)


class Case:
    def __init__(self, line):
        name, self.method, self.send, target, params, body = line.rstrip("\n").split("\t")
        self.name = name
        self.target = text(target).decode()
        pairs = text(params).decode().split("\0") if params else []
        self.params = list(zip(pairs[::2], pairs[1::2]))
        self.body = text(body)
        self.headers = {"Authorization": "FlespiToken " + KEY}
        if self.method == "OPTIONS":
            self.headers.update({"Origin": "https://app.test", "Access-Control-Request-Method": "PUT"})

    def pieces(self):
        """The body in pieces, whose number and length the library cannot know."""
        half = len(self.body) // 2
        yield self.body[:half]
        yield self.body[half:]


def by_requests():
    import requests

    session = requests.Session()

    def send(c):
        what = {}
        if c.send == "whole":
            what["data"] = c.body
        elif c.send == "stream":
            what["data"] = c.pieces()
        elif c.send == "multipart":
            what["files"] = {"file": ("track.bin", io.BytesIO(c.body))}
        r = session.request(c.method, BASE + c.target, params=c.params, headers=c.headers, **what)
        return r.status_code, r.content

    return send


def by_httpx():
    import httpx

    session = httpx.Client()

    def send(c):
        what = {}
        if c.params:  # an empty list would take the target's own query away
            what["params"] = c.params
        if c.send == "whole":
            what["content"] = c.body
        elif c.send == "stream":
            what["content"] = c.pieces()
        elif c.send == "multipart":
            what["files"] = {"file": ("track.bin", io.BytesIO(c.body))}
        r = session.request(c.method, BASE + c.target, headers=c.headers, **what)
        return r.status_code, r.content

    return send


def by_urllib():
    def send(c):
        url = BASE + c.target
        if c.params:
            url += "?" + urllib.parse.urlencode(c.params)
        data = None
        if c.send == "whole":
            data = c.body
        elif c.send == "stream":
            data = c.pieces()
        elif c.send == "multipart":
            c.headers["Content-Type"] = "multipart/form-data; boundary=limit"
            head = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="track.bin"\r\n\r\n'
            data = iter([head, c.body, b"\r\n--limit--\r\n"])
        request = urllib.request.Request(url, data=data, headers=c.headers, method=c.method)
        try:
            with urllib.request.urlopen(request) as r:
                return r.status, r.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    return send


def by_aiohttp():
    import aiohttp

    async def pieces(c):
        for piece in c.pieces():
            yield piece

    async def ask(session, c):
        data = None
        if c.send == "whole":
            data = c.body
        elif c.send == "stream":
            data = pieces(c)
        elif c.send == "multipart":
            data = aiohttp.FormData()
            data.add_field("file", io.BytesIO(c.body), filename="track.bin")
        async with session.request(c.method, BASE + c.target, params=c.params, headers=c.headers, data=data) as r:
            return r.status, await r.read()

    loop = asyncio.new_event_loop()

    async def start():
        return aiohttp.ClientSession()

    session = loop.run_until_complete(start())
    return lambda c: loop.run_until_complete(ask(session, c))


LIBRARY, BASE, KEY = sys.argv[1:]
send = {"requests": by_requests, "httpx": by_httpx, "urllib": by_urllib, "aiohttp": by_aiohttp}[LIBRARY]()
for line in sys.stdin:
    case = Case(line)
    try:
        status, answer = send(case)
    except Exception as e:  # what a library refuses is an outcome, too
        status, answer = 0, repr(e).encode()
    print(case.name, status, base64.b64encode(answer).decode(), sep="\t", flush=True)
