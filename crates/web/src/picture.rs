//! The QR code as a real JPEG, as the platform serves it (`docs/facts/wechat.md` §4.1).

use fast_qr::{ECL, QRBuilder};
use jpeg_encoder::{ColorType, Encoder};
use yufu_core::refusal::Fault;

/// Pixels per module and modules of quiet zone: about 400 pixels for a short address.
const SCALE: usize = 10;
const QUIET: usize = 4;

/// Draws a text as a QR code in a JPEG.
///
/// # Errors
/// A fault when the text is too long for a code.
pub fn qr_jpeg(text: &str) -> Result<Vec<u8>, Fault> {
    let code = QRBuilder::new(text)
        .ecl(ECL::M)
        .build()
        .map_err(|e| Fault::from("draw a QR code", format!("{e:?}")))?;
    let side = (code.size + 2 * QUIET) * SCALE;
    let mut pixels = vec![255u8; side * side];
    for y in 0..code.size {
        for x in 0..code.size {
            if code[y][x].value() {
                for row in 0..SCALE {
                    let start = ((y + QUIET) * SCALE + row) * side + (x + QUIET) * SCALE;
                    pixels[start..start + SCALE].fill(0);
                }
            }
        }
    }
    let mut jpeg = Vec::with_capacity(16 * 1024);
    let width = u16::try_from(side).map_err(|e| Fault::from("draw a QR code", e))?;
    Encoder::new(&mut jpeg, 85)
        .encode(&pixels, width, width, ColorType::Luma)
        .map_err(|e| Fault::from("write a JPEG", e.to_string()))?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_jpeg_of_its_size() {
        let jpeg =
            qr_jpeg("https://login.example.com/connect/confirm?uuid=0123456789abcdef").unwrap();
        assert_eq!(&jpeg[..3], &[0xff, 0xd8, 0xff]);
        assert_eq!(&jpeg[jpeg.len() - 2..], &[0xff, 0xd9]);
        assert!(jpeg.len() < 64 * 1024, "{}", jpeg.len());
    }
}
