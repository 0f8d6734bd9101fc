//! Stands in for `wdk-build` on hosts other than Windows.
