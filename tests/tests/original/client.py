"""The client of the Python chat that Crosstalk's protocol comes from, written again from the
description of what it does: prompts, one thread that reads, a menu from a to j, and no framing.

    client.py older|newer

The older generation speaks ASCII and sends one more message, whatever is typed next, after most
commands. The newer one speaks UTF-8 and, after hiding and revealing, takes what is typed next for
the nickname.
"""

import socket
import sys
import threading

MENU = """
a. See the active members      f. List the rooms
b. Broadcast a message         g. Join a room
c. Hide a nickname             h. Send a message to a room
d. Reveal a nickname           i. Leave a room
e. Create a room               j. Quit
"""


def receive(connection, encoding, replied):
    """Prints whatever arrives. One recv is one message, as far as this client knows."""
    while True:
        try:
            message = connection.recv(1024)
        except OSError:
            message = b""
        if not message:
            replied.set()
            return
        print(message.decode(encoding, "replace"))
        replied.set()


def main():
    older = sys.argv[1] == "older"
    encoding = "ascii" if older else "utf-8"
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")

    address = input("Enter server IP address: ")
    port = int(input("Enter server port number: "))
    nickname = input("Enter your nickname: ")

    connection = socket.create_connection((address, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    replied = threading.Event()

    def send(message):
        connection.sendall(message.encode(encoding))

    def command(message):
        """Sends a command and waits for what comes next: a person reads it before typing on."""
        replied.clear()
        send(message)
        replied.wait(20)

    send(nickname)
    receiver = threading.Thread(target=receive, args=(connection, encoding, replied), daemon=True)
    receiver.start()

    while True:
        choice = input(MENU)
        if choice == "a":
            command("/members")
        elif choice == "b":
            command("/broadcast")
            send(input())
            continue
        elif choice in ("c", "d"):
            command("/hide" if choice == "c" else "/reveal")
            send(input())
            continue
        elif choice == "e":
            command("/create_room " + input("Room name: "))
        elif choice == "f":
            command("/get_rooms " if older else "/get_rooms")
        elif choice == "g":
            command("/join " + input("Room name: "))
        elif choice == "h":
            room = input("Room name: ")
            command("/room " + room + " " + input("Message: "))
        elif choice == "i":
            command("/leave " + input("Room name: "))
        elif choice == "j":
            command("/quit")
            receiver.join(20)
            return
        else:
            continue
        if older:
            send(input())


main()
