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

/// A face for somebody who has no picture: a quiet pattern that follows from the name.
///
/// # Errors
/// A fault when the encoder refuses, which it does not for these sizes.
pub fn face_jpeg(name: &str, side: u16) -> Result<Vec<u8>, Fault> {
    let hash = yufu_core::secret::SecretHash::of(name.as_bytes()).0;
    let ink = [60 + hash[0] % 120, 60 + hash[1] % 120, 60 + hash[2] % 120];
    let paper = [238, 236, 230];
    let size = usize::from(side);
    let mut pixels = Vec::with_capacity(size * size * 3);
    for y in 0..size {
        for x in 0..size {
            // Eight by eight cells with a margin of one, the right half mirrors the left.
            let (column, row) = (x * 8 / size, y * 8 / size);
            let inner = (1..7).contains(&column) && (1..7).contains(&row);
            let cell = column.min(7 - column) * 8 + row;
            let filled = inner && hash[3 + cell % 29] & 1 == 1;
            pixels.extend_from_slice(if filled { &ink } else { &paper });
        }
    }
    let mut jpeg = Vec::with_capacity(8 * 1024);
    Encoder::new(&mut jpeg, 85)
        .encode(&pixels, side, side, ColorType::Rgb)
        .map_err(|e| Fault::from("write a JPEG", e.to_string()))?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_face_is_a_jpeg_and_follows_from_the_name() {
        let mei = face_jpeg("mei", 132).unwrap();
        assert_eq!(&mei[..3], &[0xff, 0xd8, 0xff]);
        assert_eq!(mei, face_jpeg("mei", 132).unwrap());
        assert_ne!(mei, face_jpeg("wei", 132).unwrap());
    }

    #[test]
    fn a_code_is_a_jpeg_of_its_size() {
        let jpeg =
            qr_jpeg("https://login.example.com/connect/confirm?uuid=0123456789abcdef").unwrap();
        assert_eq!(&jpeg[..3], &[0xff, 0xd8, 0xff]);
        assert_eq!(&jpeg[jpeg.len() - 2..], &[0xff, 0xd9]);
        assert!(jpeg.len() < 64 * 1024, "{}", jpeg.len());
    }
}
