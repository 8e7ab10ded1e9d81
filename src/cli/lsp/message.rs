//! A message of the protocol whose inside stays as it came: who passes it on reads no more than where it goes.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use lsp_server::ErrorCode;

/// JSON that nobody has looked into.
pub(super) type Raw = Box<RawValue>;

/// A request, a notification or a response.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Message {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) params: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Raw>,
}

impl Message {
    /// A request under a number of ours.
    pub(super) fn request(id: i32, method: &str, params: Option<Raw>) -> Self {
        Self {
            id: Some(raw(&id)),
            ..Self::notification(method, params)
        }
    }

    pub(super) fn notification(method: &str, params: Option<Raw>) -> Self {
        Self {
            method: Some(method.to_owned()),
            params,
            ..Self::default()
        }
    }

    /// This answer, to the question `id`. It has a result or an error, as it must: an absent result is `null`.
    pub(super) fn answering(self, id: Raw) -> Self {
        let result = match self.error {
            None => Some(self.result.unwrap_or_else(|| raw(&()))),
            Some(_) => None,
        };
        Self {
            id: Some(id),
            result,
            error: self.error,
            ..Self::default()
        }
    }

    /// An answer that is an error.
    pub(super) fn failure(code: ErrorCode, message: &str) -> Self {
        Self {
            error: Some(raw(&serde_json::json!({"code": code as i32, "message": message}))),
            ..Self::default()
        }
    }

    /// The parameters as what is needed of them.
    pub(super) fn params<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.params.as_ref()?.get()).ok()
    }
}

/// A value as JSON. What this crate makes always is some.
pub(super) fn raw(value: &impl Serialize) -> Raw {
    serde_json::value::to_raw_value(value).unwrap_or_default()
}
