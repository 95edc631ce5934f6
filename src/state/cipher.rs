//! Encrypts tokens: AES-256-GCM (NIST SP 800-38D) with a key derived by PBKDF2 (RFC 8018).

use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::pbkdf2;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// Rounds of the derivation: what a key that people chose needs (OWASP's advice for HMAC-SHA256).
/// It can't fail when the program runs: constants are computed when it is compiled.
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();

/// Encrypts and decrypts.
pub struct Cipher(RandomizedNonceKey);

impl Cipher {
    /// Derives the key from a secret.
    ///
    /// # Errors
    /// A bug: a key of another length.
    pub fn new(secret: &Secret, salt: &[u8]) -> Result<Cipher> {
        let mut key = [0; 32];
        let text = secret.reveal().as_bytes();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, text, &mut key);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key);
        key.map(Cipher)
            .map_err(|_| Error::new(ErrorKind::Internal, "a key of another length"))
    }

    /// Encrypts a text. `name` is bound to it: under another it can't be read.
    ///
    /// # Errors
    /// A bug: a text that is too long.
    pub fn seal(&self, name: &str, text: &Secret) -> Result<Vec<u8>> {
        let mut bytes = text.reveal().as_bytes().to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut bytes);
        let nonce = nonce.map_err(|_| Error::new(ErrorKind::Internal, "a token could not be encrypted"))?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut bytes);
        Ok(sealed)
    }

    /// Decrypts a text.
    ///
    /// # Errors
    /// One that was encrypted with another key, under another name, or was changed.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Secret> {
        let wrong = || {
            Error::new(
                ErrorKind::State,
                "a token that is kept can't be decrypted: SEQUOR_STATE_KEY is not the one it was kept with",
            )
            .help("set SEQUOR_STATE_KEY to the key that was used before, or log in to the API anew and put the new token into the source")
        };
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut bytes = sealed.to_vec();
        let opened = self
            .0
            .open_in_place(nonce, Aad::from(name.as_bytes()), &mut bytes);
        let text = String::from_utf8(opened.map_err(|_| wrong())?.to_vec());
        text.map(Secret::new).map_err(|_| wrong())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_by_its_key_and_name_alone() {
        let cipher = |key: &str| Cipher::new(&Secret::new(key), b"salt").unwrap();
        let sealed = cipher("one").seal("name", &Secret::new("token é")).unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"token"));
        assert_eq!(cipher("one").open("name", &sealed).unwrap().reveal(), "token é");
        assert!(cipher("one").open("other", &sealed).is_err());
        assert!(cipher("two").open("name", &sealed).is_err());
        assert!(cipher("one").open("name", &sealed[..5]).is_err());
    }
}
