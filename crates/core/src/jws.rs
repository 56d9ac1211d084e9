//! Signed assertions for servers that cannot ask us: compact JWS over JSON claims (RFC 7515,
//! RFC 7519), signed with Ed25519 (RFC 8037). The algorithm belongs to the key; no word of a
//! token chooses it.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::refusal::Fault;
use crate::secret::Secret;

/// A key that signs. Holds a secret: has no `Debug`.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

/// The public half of a [`SigningKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    /// The 32 bytes of RFC 8032.
    bytes: Vec<u8>,
}

impl SigningKey {
    /// The key of a 32-byte seed (the private key of RFC 8032).
    ///
    /// # Errors
    /// A fault when the library refuses the seed, which it does not for any 32 bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, Fault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        let pair = pair.map_err(|_| Fault::new("make a signing key"))?;
        let bytes = pair.public_key().as_ref().to_vec();
        Ok(Self {
            pair,
            public: VerifyingKey { bytes },
        })
    }

    /// The public half.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// The compact form of the claims under this key: `typ` JWT, `kid` the key's thumbprint.
    pub fn sign(&self, claims: &Value) -> Secret {
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.public.thumbprint() });
        Secret::new(self.write(&header.to_string(), &claims.to_string()))
    }

    fn write(&self, header: &str, payload: &str) -> String {
        let (header, payload) = (base64(header.as_bytes()), base64(payload.as_bytes()));
        let signed = format!("{header}.{payload}");
        let signature = base64(self.pair.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }
}

impl VerifyingKey {
    /// The thumbprint of RFC 7638 over the members that RFC 8037 §2 requires: the key's id.
    pub fn thumbprint(&self) -> String {
        let members = format!(
            r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
            base64(&self.bytes)
        );
        base64(digest::digest(&digest::SHA256, members.as_bytes()).as_ref())
    }

    /// The key as a JSON Web Key (RFC 8037 §2).
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": base64(&self.bytes),
            "kid": self.thumbprint(),
            "alg": "EdDSA",
            "use": "sig",
        })
    }

    /// The claims of a compact JWS that this very key signed; `None` for anything else. Whether
    /// the claims hold (audience, time) is the caller's to judge.
    pub fn verify(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ED25519, &self.bytes)
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let header: Value = read(header)?;
        // Signed by us, and still not a token of ours: a header with extensions that must be
        // understood (RFC 7515 §4.1.11), or one that names another way.
        let ours = header.get("alg")? == "EdDSA" && header.get("crit").is_none();
        ours.then(|| read(payload))?
    }
}

/// A set of keys (RFC 7517 §5).
pub fn key_set<'a>(keys: impl IntoIterator<Item = &'a VerifyingKey>) -> String {
    let keys: Vec<_> = keys.into_iter().map(VerifyingKey::jwk).collect();
    json!({ "keys": keys }).to_string()
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 8037 appendix A.1 and A.2.
    fn rfc_key() -> SigningKey {
        let seed = URL_SAFE_NO_PAD
            .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
            .unwrap();
        SigningKey::from_seed(&seed.try_into().unwrap()).unwrap()
    }

    #[test]
    fn rfc_8037_a_1_the_public_key() {
        let jwk = rfc_key().public().jwk();
        assert_eq!(jwk["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    }

    #[test]
    fn rfc_8037_a_3_the_thumbprint() {
        let thumbprint = rfc_key().public().thumbprint();
        assert_eq!(thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn rfc_8037_a_4_the_signature() {
        let token = rfc_key().write(r#"{"alg":"EdDSA"}"#, "Example of Ed25519 signing");
        assert_eq!(
            token,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
             hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn what_is_signed_is_read_and_nothing_else_is() {
        let key = rfc_key();
        let claims = json!({ "sub": "u", "exp": 1 });
        let token = key.sign(&claims);
        let token = token.expose();
        let header: Value = read(token.split('.').next().unwrap()).unwrap();
        let kid = key.public().thumbprint();
        assert_eq!(header, json!({ "alg": "EdDSA", "typ": "JWT", "kid": kid }));
        assert_eq!(key.public().verify(token), Some(claims));
        let other = SigningKey::from_seed(&[7; 32]).unwrap();
        assert_eq!(other.public().verify(token), None);
        for i in 0..token.len() {
            let mut broken = token.as_bytes().to_vec();
            broken[i] = if broken[i] == b'A' { b'B' } else { b'A' };
            let broken = String::from_utf8(broken).unwrap();
            assert_eq!(key.public().verify(&broken), None, "{i}");
        }
        for broken in ["", ".", "..", "...", &token[..token.len() - 1]] {
            assert_eq!(key.public().verify(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_token_does_not_choose_how_it_is_judged() {
        let key = rfc_key();
        let payload = r#"{"sub":"u"}"#;
        let (head, rest) = ("eyJhbGciOiJub25lIn0", base64(payload.as_bytes()));
        assert_eq!(key.public().verify(&format!("{head}.{rest}.")), None);
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"EdDSA","crit":["exp"],"exp":1}"#,
            r#"{"typ":"JWT"}"#,
            "[]",
        ] {
            let token = key.write(header, payload);
            assert_eq!(key.public().verify(&token), None, "{header}");
        }
        assert!(
            key.public()
                .verify(&key.write(r#"{"alg":"EdDSA"}"#, payload))
                .is_some()
        );
    }

    #[test]
    fn a_key_set_names_each_key() {
        let keys = [rfc_key(), SigningKey::from_seed(&[7; 32]).unwrap()];
        let set: Value =
            serde_json::from_str(&key_set(keys.iter().map(SigningKey::public))).unwrap();
        let listed = set["keys"].as_array().unwrap();
        assert_eq!(listed.len(), 2);
        for (key, jwk) in keys.iter().zip(listed) {
            assert_eq!(jwk["kid"], key.public().thumbprint().as_str());
            assert_eq!(jwk["kty"], "OKP");
            assert_eq!(jwk["crv"], "Ed25519");
            assert_eq!(jwk["alg"], "EdDSA");
            assert!(jwk.get("d").is_none());
        }
        assert_ne!(listed[0]["kid"], listed[1]["kid"]);
    }
}
