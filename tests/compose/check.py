"""Checks the project's docker-compose.yml for real, on the engine that it finds.

Standard library only, but for `websocket`, which Debian's docker-compose brings along.
"""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request

import websocket

HTTP = ("127.0.0.1", 8080)
TCP = ("127.0.0.1", 44444)
PATIENCE = 30  # seconds; guards against hanging, nothing is measured with it

failed = []
passed = []


def main():
    begun = time.monotonic()
    compose("up", "--detach", "--build")
    say(f"built and started in {time.monotonic() - begun:.0f} s")
    container = output("docker-compose", "ps", "--quiet").strip()
    try:
        check("it becomes healthy", becomes_healthy(container))
        check_page()
        check_confinement(container)
        line_peer, web_peer = LinePeer("ada"), WebPeer("grace")
        check_conversation(line_peer, web_peer)
        check_program(line_peer)
        check_stop(container, line_peer, web_peer)
        check_memory(container)
        logs = output("docker-compose", "logs", "--no-color")
        check("no message's text is in the log", "from the" not in logs)
        if failed:
            print(logs)
    finally:
        compose("down", "--volumes", "--timeout", "1")
    size = int(inspect("crosstalk", "{{.Size}}"))
    base = int(inspect("debian:bookworm-slim", "{{.Size}}"))
    say(f"the image has {size / 1e6:.0f} MB, {(size - base) / 1e6:.1f} MB of it on top of Debian")
    print(f"{len(passed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def becomes_healthy(container):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if inspect(container, "{{.State.Health.Status}}") == "healthy":
            return True
        time.sleep(0.2)
    print(inspect(container, "{{json .State}}"))
    return False


def check_page():
    with urllib.request.urlopen("http://%s:%d/" % HTTP, timeout=PATIENCE) as answer:
        page = answer.read().decode()
        check("the page is on 8080", answer.status == 200 and "<html" in page.lower())


def check_confinement(container):
    """What the kernel says of the process, rather than what the file asks for."""
    pid = inspect(container, "{{.State.Pid}}")
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    check("it does not run as root", "0" not in fields["Uid"].split() + fields["Gid"].split())
    check("it has no capabilities", int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0)
    check("it cannot gain privileges", fields["NoNewPrivs"] == "1")
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as mounts:
        root = [line.split() for line in mounts if line.split()[4] == "/"]
    check("its root file system is read-only", all("ro" in m[5].split(",") for m in root))


def check_conversation(line_peer, web_peer):
    line_peer.say("hello from the terminal")
    heard = web_peer.wait_for("message", text="hello from the terminal")
    check("the WebSocket peer hears the TCP peer", heard.get("from") == "ada")
    web_peer.send(type="send", room="lobby", text="hello from the browser")
    check(
        "the TCP peer hears the WebSocket peer",
        line_peer.wait_for(r"grace: hello from the browser") is not None,
    )


def check_program(line_peer):
    """The program in the README, as a reader would start it."""
    with open("README.md", encoding="utf-8") as readme:
        program = re.search(r"```python\n(.*?)```", readme.read(), re.DOTALL)[1]
    with subprocess.Popen([sys.executable, "-c", program]) as clock:
        try:
            line_peer.wait_for("Server: clock is online!")
            line_peer.say("!time")
            year = time.strftime("%Y")
            check("the README's program answers", line_peer.wait_for(rf"^clock: .* {year}$"))
        finally:
            clock.terminate()


def check_stop(container, line_peer, web_peer):
    begun = time.monotonic()
    compose("stop")
    say(f"stopped in {time.monotonic() - begun:.1f} s")
    check(
        "the TCP peer is told, then the connection ends",
        line_peer.wait_for(r"^Server: .*going down") and line_peer.at_end(),
    )
    check(
        "the WebSocket peer is told to come back",
        web_peer.wait_for("disconnect", code="shutdown").get("reconnect") is True,
    )
    check("its connection is closed with 1001", web_peer.close_code() == 1001)
    code = inspect(container, "{{.State.ExitCode}}")
    check(f"it ends by itself, with exit code {code}", code == "0")


def check_memory(container):
    compose("start")
    check("it becomes healthy again", becomes_healthy(container))
    peer = WebPeer("linus")
    peer.send(type="history", room="lobby")
    messages = peer.wait_for("history").get("messages", [])
    texts = [message["text"] for message in messages]
    check("what was said is still there", "hello from the terminal" in texts)


class LinePeer:
    """Somebody with `nc`."""

    def __init__(self, nick):
        self.socket = socket.create_connection(TCP, timeout=PATIENCE)
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.say(nick)
        self.wait_for("Connected to the server")

    def say(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def wait_for(self, pattern):
        """The first line that matches; None if the connection ends before."""
        for line in self.lines:
            if found := re.search(pattern, line):
                return found
        return None

    def at_end(self):
        return self.lines.read() == ""


class WebPeer:
    """Somebody with a browser."""

    def __init__(self, nick):
        self.socket = websocket.create_connection("ws://%s:%d/ws" % HTTP, timeout=PATIENCE)
        self.send(type="hello", nick=nick)
        self.wait_for("welcome")

    def send(self, **frame):
        self.socket.send(json.dumps(frame))

    def wait_for(self, kind, **fields):
        """The first frame of that type with these fields; empty if the connection ends before."""
        while True:
            opcode, payload = self.receive()
            if opcode == websocket.ABNF.OPCODE_TEXT:
                frame = json.loads(payload)
                if frame["type"] == kind and fields.items() <= frame.items():
                    return frame
            elif opcode == websocket.ABNF.OPCODE_CLOSE:
                return {}

    def close_code(self):
        while True:
            opcode, payload = self.receive()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(payload[:2], "big")

    def receive(self):
        """A frame; a connection that breaks off counts as closed without a code."""
        try:
            return self.socket.recv_data(control_frame=True)
        except (websocket.WebSocketException, OSError):
            return websocket.ABNF.OPCODE_CLOSE, b""


def check(sentence, holds):
    (passed if holds else failed).append(sentence)
    say(("ok: " if holds else "FAILED: ") + sentence)


def say(text):
    print(f"[compose] {text}", flush=True)


def compose(*arguments):
    subprocess.run(["docker-compose", *arguments], check=True)


def inspect(thing, template):
    return output("docker", "inspect", "--format", template, thing).strip()


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


sys.exit(main())
