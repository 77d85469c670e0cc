// kith/version.hpp — the version of the library, written once and read by CMake.
#pragma once

#define KITH_VERSION_MAJOR 0
#define KITH_VERSION_MINOR 1
#define KITH_VERSION_PATCH 0

namespace kith::inline v0 {

/// The version of the headers a program was compiled with, as text.
inline constexpr const char* version = "0.1.0";

}  // namespace kith::inline v0
