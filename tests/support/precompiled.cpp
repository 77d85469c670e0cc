// tests/support/precompiled.cpp — the source that makes the precompiled header exist.
#include "support/catch.hpp"
