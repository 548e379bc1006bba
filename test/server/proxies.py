"""The proxies of packaging/, run from the files that are shipped.

Only paths and addresses are put in their place, so that what is tested is what is shipped. A proxy listens on a port
that was free a moment ago; should somebody else have taken it meanwhile, it is started again on another.
"""

import http.server
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

from harness import WAIT_S

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
SOCKET, APPLICATION = "/run/marque/marque.sock", "127.0.0.1:3000"  # as the shipped files have them
POLL_S = 0.02


def program(name):
    """Where it is, sbin folders included; None when it is not installed."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Application(http.server.ThreadingHTTPServer):
    """What is protected: it keeps the requests it got and answers with the status that the path ends in, else 200."""

    daemon_threads, request_queue_size = True, 128

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer is one packet

        def answer(self):
            self.server.requests.append((self.path, self.headers.items(), self.body()))
            wanted = re.search(r"status=(\d{3})$", self.path)
            self.send_response_only(int(wanted[1]) if wanted else 200)
            self.send_header("Content-Length", "11")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"application")

        do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = answer

        def body(self):
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.requests = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": POLL_S}, daemon=True).start()

    def handle_error(self, *_):
        pass  # a proxy may leave at any time

    def said_of_identity(self):
        """The last request's headers that anybody could take for Marque's, whatever their spelling."""
        return {name.lower(): value for name, value in self.requests[-1][1] if "marque" in name.lower()}


class Proxy:
    """A running proxy. `edit` changes the shipped text further, for tests of what careless people do."""

    bound_s = None  # within which it fails closed, as its file says

    def __init__(self, folder, verifier, application, edit=lambda text: text):
        self.folder, self.edit = Path(folder) / type(self).__name__.lower(), edit
        self.replace = {SOCKET: str(verifier), APPLICATION: f"127.0.0.1:{application.server_port}"}
        for _ in range(3):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.address = probe.getsockname()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()
            self.output = self.folder / "output"
            with open(self.output, "wb") as output:
                self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                                env={**os.environ, "HOME": str(self.folder)})
            if self._answers():
                return
        raise AssertionError(f"{self.program} does not start: {self.output.read_text()}")

    @classmethod
    def is_installed(cls):
        return program(cls.program) is not None

    def shipped(self, name, **more):
        """The text of a shipped file with paths and addresses put in their place. Each has to occur."""
        text = (PACKAGING / name).read_text()
        for old, new in more.items():
            if old not in text:
                raise AssertionError(f"{name} does not have {old}")
            text = text.replace(old, new)
        for old, new in self.replace.items():
            text = text.replace(old, new)
        return self.edit(text)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def _answers(self):
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            try:
                socket.create_connection(self.address, 1).close()
                return True
            except OSError:
                try:
                    self.process.wait(POLL_S)
                    return False
                except subprocess.TimeoutExpired:
                    pass
        self.stop()
        return False

    def stop(self):
        self.process.kill()
        self.process.wait()


class Nginx(Proxy):
    program, bound_s = "nginx", 3

    def command(self):
        self.write("conf.d/marque.conf", self.shipped("nginx/marque.conf"))
        for snippet in (PACKAGING / "nginx/snippets").iterdir():
            self.write(f"snippets/{snippet.name}", self.shipped(f"nginx/snippets/{snippet.name}"))
        listen = {"listen 80;": f"listen 127.0.0.1:{self.address[1]};"}
        self.write("site.conf", self.shipped("nginx/site.conf", **listen))
        kept = "".join(f"{kind}_temp_path {self.folder}/{kind};\n"
                       for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""  # the test's folder is closed to others
        # One process: when it is killed, none is left.
        main = self.write("nginx.conf", f"{user}daemon off; master_process off; pid {self.folder}/pid;\n"
                          f"events {{ }}\nhttp {{\naccess_log off;\n{kept}"
                          f"proxy_cache_path {self.folder}/cache keys_zone=careless:1m;\n"
                          "include conf.d/*.conf;\ninclude site.conf;\n}\n")
        return [program("nginx"), "-c", str(main), "-e", "stderr"]


class Caddy(Proxy):
    program, bound_s = "caddy", 2

    def command(self):
        site = f"http://board.example.org:{self.address[1]} {{\nbind 127.0.0.1"
        text = self.shipped("caddy/Caddyfile", **{"board.example.org {": site,
                                                  "/run/caddy/admin.sock": f"{self.folder}/admin.sock"})
        return [program("caddy"), "run", "--config", str(self.write("Caddyfile", text)), "--adapter", "caddyfile"]


class HAProxy(Proxy):
    program, bound_s = "haproxy", 2

    def command(self):
        action = self.write("marque.lua", self.shipped("haproxy/marque.lua"))
        text = self.shipped("haproxy/haproxy.cfg", **{"bind :80": f"bind 127.0.0.1:{self.address[1]}",
                                                      "/etc/haproxy/marque.lua": str(action)})
        return [program("haproxy"), "-db", "-f", str(self.write("haproxy.cfg", text))]


class Silent(threading.Thread):
    """In the verifier's place: takes every connection, says `words` and then nothing more."""

    def __init__(self, path, words=b""):
        super().__init__(daemon=True)
        self.words, self.kept = words, []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(64)
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.kept.append(connection)
            connection.sendall(self.words)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        for connection in self.kept:
            connection.close()
