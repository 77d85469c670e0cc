// src/kernels/packed_dispatch.cpp — from an instruction set to its kernels over packed codes, for every processor.
#include "kith/distance/packed_dispatch.hpp"

#include "kernels/packed_table.hpp"
#include "kith/core/assert.hpp"
#include "kith/distance/cpu.hpp"

namespace kith::inline v0 {

PackedDots packed_dots(unsigned bits, Isa isa) noexcept {
    KITH_ASSERT(supports(isa) && bits >= 1 && bits <= 8);
    switch (isa) {
#if defined(__x86_64__)
        case Isa::avx2:
            return detail::avx2_packed_kernels().by_bits[bits];
        case Isa::avx512:
            return detail::avx512_packed_kernels().by_bits[bits];
        case Isa::avx512_vnni:
            return detail::avx512_vnni_packed_kernels().by_bits[bits];
        case Isa::scalar:
        case Isa::neon:
        case Isa::neon_dot:
            break;
#elif defined(__aarch64__)
        case Isa::neon:
            return detail::neon_packed_kernels().by_bits[bits];
        case Isa::neon_dot:
            return detail::neon_dot_packed_kernels().by_bits[bits];
        case Isa::scalar:
        case Isa::avx2:
        case Isa::avx512:
        case Isa::avx512_vnni:
            break;
#else
        case Isa::scalar:
        case Isa::avx2:
        case Isa::avx512:
        case Isa::avx512_vnni:
        case Isa::neon:
        case Isa::neon_dot:
            break;
#endif
    }
    return detail::portable_packed_dots<detail::ThisBuild>(bits);
}

}  // namespace kith::inline v0
