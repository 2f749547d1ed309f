//! Records that no exact key decides find their entity by score: rows that stood before Concord came, and
//! other sources.

mod people;

mod learning;

mod landing;

mod surviving;

mod users_and_pianos;

mod words;

mod asking;
