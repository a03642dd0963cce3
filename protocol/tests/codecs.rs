//! What must hold of both codecs, whatever the names, the texts and the bytes.

mod codecs {
    mod generate;
    mod json;
    mod lines;
}
