// kith/distance/packed_dispatch.hpp — the kernels over packed codes, chosen once an index.
#pragma once

#include "kith/core/config.hpp"
#include "kith/distance/isa.hpp"
#include "kith/distance/packed_dots.hpp"
#include "kith/distance/portable_packed.hpp"

namespace kith::inline v0 {

#if KITH_COMPILED

/// The kernels for elements of `bits` bits.
/// Requires: supports(isa); bits is 1 to 8.
[[nodiscard]] PackedDots packed_dots(unsigned bits, Isa isa) noexcept;

#else

/// The kernels for elements of `bits` bits.
/// Requires: bits is 1 to 8.
template <class Flags = detail::ThisBuild>
[[nodiscard]] PackedDots packed_dots(unsigned bits, Isa) noexcept {
    return detail::portable_packed_dots<Flags>(bits);
}

#endif

}  // namespace kith::inline v0
