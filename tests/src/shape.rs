//! Comparing events whose numbers cannot be known beforehand.

use serde_json::Value;

/// Checks that `event` has exactly the fields of `expected`, and their values; `"#"` stands for
/// any number and `"$"` for any text that is not empty.
///
/// # Panics
/// If it has others.
#[track_caller]
pub fn assert_shape(event: &Value, expected: &Value) {
    assert!(matches(event, expected), "\n  seen     {event}\n  expected {expected}");
}

fn matches(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (value, Value::String(mark)) if mark == "#" => value.is_u64(),
        (value, Value::String(mark)) if mark == "$" => value.as_str().is_some_and(|text| !text.is_empty()),
        (Value::Object(fields), Value::Object(wanted)) => {
            fields.len() == wanted.len()
                && wanted
                    .iter()
                    .all(|(name, wanted)| fields.get(name).is_some_and(|value| matches(value, wanted)))
        }
        (Value::Array(values), Value::Array(wanted)) => {
            values.len() == wanted.len()
                && values.iter().zip(wanted).all(|(value, wanted)| matches(value, wanted))
        }
        _ => value == expected,
    }
}
