"""A chat server as coursework has it: a thread for each client, which sends what its client says to
everybody else, one after another, and waits for each of them.

The first line of a client is their nickname, and every other one a message. It is kinder to itself
than most of its kind: messages that have come together leave together.
"""

import socket
import sys
import threading

clients = []
lock = threading.Lock()


def broadcast(data, sender):
    with lock:
        for client in clients:
            if client is not sender:
                try:
                    client.sendall(data)
                except OSError:
                    pass  # Its own thread finds out.


def serve(client):
    nick, rest = None, b""
    try:
        while data := client.recv(1024):
            *lines, rest = (rest + data).split(b"\n")
            if nick is None and lines:
                nick = lines.pop(0)
                with lock:
                    clients.append(client)
                client.sendall(b"Connected to the server\n")
                broadcast(b"Server: %s is online!\n" % nick, client)
            if lines:
                broadcast(b"".join(b"%s: %s\n" % (nick, line) for line in lines), client)
    except OSError:
        pass
    finally:
        with lock:
            if client in clients:
                clients.remove(client)
        if nick is not None:
            broadcast(b"Server: %s is offline.\n" % nick, client)
        client.close()


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(client,), daemon=True).start()


main()
