//! Runs that stop and go on where they stopped.
