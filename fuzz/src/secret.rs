//! A secret is read only in the very spelling in which it is written.

use yufu_core::secret::{Halves, Layout};

const LAYOUTS: [Layout; 4] = [
    Layout::WeChatCode,
    Layout::WeChatToken,
    Layout::Own,
    Layout::ScanUuid,
];

/// Text that may be a secret, and bytes that may be its halves.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for layout in LAYOUTS {
        read(layout, &text);
        if layout != Layout::ScanUuid {
            write(layout, data);
        }
    }
}

fn read(layout: Layout, text: &str) {
    let Some(halves) = layout.read(text) else {
        return;
    };
    assert_eq!(text.len(), layout.length());
    if layout == Layout::ScanUuid {
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()));
        return;
    }
    assert!(halves.version <= 9 && halves.proof.len() == layout.proof_bytes());
    assert_eq!(
        layout.write(&halves).expose(),
        text,
        "two spellings of one secret"
    );
}

fn write(layout: Layout, data: &[u8]) {
    let Some((first, rest)) = data.split_first_chunk::<9>() else {
        return;
    };
    let [version, number @ ..] = first;
    let mut proof = rest.to_vec();
    proof.resize(layout.proof_bytes(), 0);
    let halves = Halves {
        version: version % 10,
        sealed: u64::from_be_bytes(*number) >> (64 - layout.number_bits()),
        proof: proof.into(),
    };
    let text = layout.write(&halves);
    assert_eq!(text.expose().len(), layout.length());
    let again = layout
        .read(text.expose())
        .expect("what was written can be read");
    assert_eq!(again.version, halves.version);
    assert_eq!(again.sealed, halves.sealed);
    assert_eq!(*again.proof, *halves.proof);
}
