"""A small Hugging Face hub on loopback, with the requests that `huggingface_hub` makes."""

import contextlib
import hashlib
import http.server
import json
import re
import threading
import urllib.parse

TOKEN = "hf_right"


class Hub(http.server.ThreadingHTTPServer):
    """Serves folders as repositories.

    Attributes:
        repositories: {"OWNER/NAME": {revision: folder}}.
        private: repositories that need `TOKEN`.
        codes: whether errors say their kind, which mirrors may leave out.
        cut: names of files whose bodies end after half of their bytes.
        requests: "METHOD path" of every request.
    """

    def __init__(self, repositories):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories, self.private, self.cut, self.requests = repositories, set(), set(), []
        self.codes = True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def fetched(self):
        """Names of the files whose contents were asked for."""
        paths = (request.split(" ")[1] for request in self.requests if request.startswith("GET "))
        return {path.split("/resolve/")[1].partition("/")[2] for path in paths if "/resolve/" in path}


@contextlib.contextmanager
def serving(repositories):
    """Yields a running `Hub`."""
    with Hub(repositories) as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


def commit_of(folder):
    """The commit of the repository whose files are in `folder`."""
    return hashlib.sha1(str(folder).encode()).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/(.+)", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if api:
            self._answer(api[1], api[3], api[2])
        elif file:
            self._answer(file[1], file[2], "file", file[3])
        else:
            self._refuse(404, None, "Not found")

    do_HEAD = do_GET

    def log_message(self, *args):
        pass

    def _answer(self, name, revision, kind, file=None):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        hub = self.server
        if token not in ("", TOKEN):
            self._refuse(401, None, "Invalid credentials in Authorization header")
        elif name not in hub.repositories or (name in hub.private and not token):
            self._refuse(404 if token else 401, "RepoNotFound" if token else None, "Repository not found")
        elif (folder := self._folder(hub.repositories[name], revision)) is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif kind == "file":
            self._send_file(folder, folder / file)
        else:
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            siblings = [{"rfilename": str(path.relative_to(folder))} for path in files]
            info = {"id": name, "sha": commit_of(folder), "siblings": siblings}
            self._send_json([self._entry(folder, path) for path in files] if kind == "tree" else info)

    def _folder(self, revisions, revision):
        """The folder of a branch, tag or commit."""
        commits = {commit_of(folder): folder for folder in revisions.values()}
        return commits.get(revision) or revisions.get(revision)

    def _entry(self, folder, path):
        data = path.read_bytes()
        return {
            "type": "file",
            "path": str(path.relative_to(folder)),
            "size": len(data),
            "oid": hashlib.sha1(data).hexdigest(),
        }

    def _send_file(self, folder, path):
        if not path.is_file():
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        data = path.read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit_of(folder))
        self.end_headers()
        if self.command == "GET":
            end = len(data) // 2 if path.name in self.server.cut else len(data)
            self.wfile.write(data[start : max(start, end)])

    def _send_json(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _refuse(self, status, code, message):
        self.send_response(status)
        if code and self.server.codes:
            self.send_header("X-Error-Code", code)
        if self.server.codes:
            self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()
