//! Follows nested connections to their end.

use crate::failure::FetchError;
use crate::modules::Module;
use crate::pages::{Hole, Record};
use crate::source::Source;

/// Completes every record's nested connections.
pub(super) async fn complete(
    _source: &Source,
    _module: &Module,
    _records: &mut [Record],
    _holes: &mut Vec<Hole>,
) -> Result<(), FetchError> {
    Ok(())
}
