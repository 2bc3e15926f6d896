//! Products, stock and locations as clients read and change them.
