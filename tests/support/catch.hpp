// tests/support/catch.hpp — Catch2, version 2 or 3, by one name.
//
// Debian 12 ships version 2 with one large header; vcpkg and Conan ship version 3 with several. What the tests use is
// the same in both once Approx is named.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
