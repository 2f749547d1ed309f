//! `concord migrate`: brings the database to this program's schema and the production tables to their contracts.
