//! MQTT 3.1.1, in which nothing is acknowledged (QoS 0). A room is a topic.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, ensure};

use crate::door::{Protocol, connect};

/// A client of an MQTT broker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mqtt;

/// Types of packets, with the flags that they must have (MQTT 3.1.1, 2.2).
const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;

impl Protocol for Mqtt {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn greet(&self, address: SocketAddr, nick: &str, _rooms: &[String]) -> anyhow::Result<TcpStream> {
        let mut stream = connect(address)?;
        let mut body = Vec::new();
        string("MQTT", &mut body);
        // Version 4, which is 3.1.1; a clean session; no limit for silence.
        body.extend_from_slice(&[4, 2, 0, 0]);
        string(nick, &mut body);
        let mut out = Vec::new();
        packet(CONNECT, &[&body], &mut out);
        stream.write_all(&out)?;
        Ok(stream)
    }

    fn join(&self, stream: &mut TcpStream, rooms: &[String]) -> anyhow::Result<()> {
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).context("no CONNACK came")?;
        ensure!(connack[0] == CONNACK && connack[3] == 0, "the broker answered {connack:?}");
        let mut body = vec![0, 1];
        for room in rooms {
            string(room, &mut body);
            body.push(0);
        }
        let mut out = Vec::new();
        packet(SUBSCRIBE, &[&body], &mut out);
        stream.write_all(&out)?;
        let mut suback = vec![0; 4 + rooms.len()];
        stream.read_exact(&mut suback).context("no SUBACK came")?;
        ensure!(suback[0] == SUBACK && suback[4..].iter().all(|&code| code == 0), "refused: {suback:?}");
        Ok(())
    }

    fn send(&self, room: &str, text: &[u8], out: &mut Vec<u8>) {
        let mut topic = Vec::new();
        string(room, &mut topic);
        packet(PUBLISH, &[&topic, text], out);
    }

    fn delivered(&self, room: &str, text: &[u8], out: &mut Vec<u8>) {
        self.send(room, text, out);
    }

    fn echoes(&self) -> bool {
        true
    }
}

/// Appends a packet.
fn packet(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    out.push(kind);
    length(parts.iter().map(|part| part.len()).sum(), out);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Appends a length, seven bits a byte and the lowest first; a byte that is not the last has the eighth
/// (MQTT 3.1.1, 2.2.3).
fn length(mut len: usize, out: &mut Vec<u8>) {
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
}

/// Appends a string with its length before it (MQTT 3.1.1, 1.5.3).
fn string(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_standard() {
        let table: [(usize, &[u8]); 8] = [
            (0, &[0x00]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xff, 0xff, 0x7f]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (268_435_455, &[0xff, 0xff, 0xff, 0x7f]),
        ];
        for (len, bytes) in table {
            let mut out = Vec::new();
            length(len, &mut out);
            assert_eq!(out, bytes, "{len}");
        }
    }

    #[test]
    fn a_message_is_one_packet_with_its_topic_before_it() {
        let mut out = Vec::new();
        Mqtt.send("dev", &[b'a'; 123], &mut out);
        assert_eq!(out[..8], [0x30, 0x80, 0x01, 0, 3, b'd', b'e', b'v']);
        assert_eq!(out.len(), 3 + 128);
    }
}
