//! The JSON codec.

use crosstalk_protocol::json::{decode_event, decode_request, encode_event, encode_request};
use crosstalk_protocol::{Text, limits};
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::generate;

proptest! {
    #[test]
    fn a_request_decodes_to_what_was_encoded(request in generate::request()) {
        let frame = encode_request(&request);
        prop_assert!(!frame.contains(['\n', '\r']), "one line");
        prop_assert_eq!(decode_request(frame.as_bytes()), Ok(request));
    }

    #[test]
    fn an_event_decodes_to_what_was_encoded(event in generate::event()) {
        let mut frame = Vec::new();
        encode_event(&event, &mut frame);
        prop_assert!(!frame.contains(&b'\n'), "one line");
        prop_assert_eq!(decode_event(&frame).unwrap(), event);
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_request(&bytes);
        let _ = decode_event(&bytes);
    }

    #[test]
    fn any_json_is_answered_in_few_words(frame in frame()) {
        if let Err(error) = decode_request(frame.to_string().as_bytes()) {
            prop_assert!(error.error.message.chars().count() <= 250, "{}", error.error.message);
            prop_assert!(!error.error.message.chars().any(char::is_control));
        }
    }

    #[test]
    fn a_damaged_request_is_answered(
        request in generate::request(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut frame = encode_request(&request).into_bytes();
        let at = at.index(frame.len());
        frame[at] = byte;
        let _ = decode_request(&frame);
        frame.truncate(at);
        prop_assert!(decode_request(&frame).is_err());
    }
}

#[test]
fn a_text_of_any_allowed_length_fits_a_frame_however_it_is_escaped() {
    let text = "\\u0061".repeat(limits::TEXT_MAX);
    let frame = format!(r#"{{"type":"send","room":"lobby","text":"{text}","id":"c1"}}"#);
    assert!(frame.len() <= limits::FRAME_MAX);
    assert!(decode_request(frame.as_bytes()).is_ok());
    assert!(Text::clean(&"a".repeat(limits::TEXT_MAX)).is_ok());
}

/// An object with the fields of commands and values of any type.
fn frame() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        generate::wild().prop_map(Value::from),
        "x{0,2000}".prop_map(Value::from),
    ]
    .prop_recursive(3, 12, 4, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{0,4}", value, 0..4)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    });
    let field = prop::sample::select(vec![
        "id", "nick", "room", "to", "text", "action", "rooms", "position", "after", "before", "limit",
    ]);
    let kind = prop::sample::select(vec![
        "hello", "send", "create", "join", "leave", "rooms", "members", "nick", "history", "ping", "nonsense",
    ]);
    (kind, prop::collection::hash_map(field.prop_map(str::to_owned), value, 0..5)).prop_map(
        |(kind, mut fields)| {
            fields.insert("type".to_owned(), kind.into());
            Value::Object(Map::from_iter(fields))
        },
    )
}
