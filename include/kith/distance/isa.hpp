// kith/distance/isa.hpp — the instruction sets that kernels are written for.
#pragma once

#include <cstdint>
#include <string_view>

namespace kith::inline v0 {

/// An instruction set. Later ones of one processor family include earlier ones, and every processor has `scalar`.
enum class Isa : std::uint8_t {
    scalar,       ///< plain C++, as good as the compiler's flags allow
    avx2,         ///< x86-64 with AVX2, FMA and F16C
    avx512,       ///< x86-64 with AVX-512 F, BW, CD, DQ and VL
    avx512_vnni,  ///< with VNNI, VPOPCNTDQ, BITALG and VBMI too: Ice Lake, Zen 4 and later
    neon,         ///< AArch64, which always has it
    neon_dot,     ///< AArch64 with the dot product of bytes: Cortex-A76, Apple M1 and later
};

/// Every instruction set, the plainest first.
inline constexpr Isa all_isas[] = {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_vnni, Isa::neon, Isa::neon_dot};

/// The name of an instruction set, as KITH_ISA spells it.
constexpr std::string_view name(Isa isa) noexcept {
    switch (isa) {
        case Isa::scalar:
            return "scalar";
        case Isa::avx2:
            return "avx2";
        case Isa::avx512:
            return "avx512";
        case Isa::avx512_vnni:
            return "avx512_vnni";
        case Isa::neon:
            return "neon";
        case Isa::neon_dot:
            return "neon_dot";
    }
    return "unknown";
}

}  // namespace kith::inline v0
