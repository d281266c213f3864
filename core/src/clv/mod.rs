//! What is each customer worth, and are they still alive?
