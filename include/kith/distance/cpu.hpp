// kith/distance/cpu.hpp — which instruction sets this processor has, and which one to use.
//
// The compiler's own probe does not know every feature in every version we support, and one that says "AVX-512" must
// also have asked whether the operating system saves its registers. So the processor is asked here, in its own words.
// The environment variable KITH_ISA overrides the choice: tests run every set, and a user can rule one out.
//
// Thread safety: any number of threads, as long as none changes the environment meanwhile.
// Source: Intel SDM volume 2A (CPUID) and volume 1, sections 14.3 and 15.2 (detecting AVX and AVX-512).
#pragma once

#include "kith/core/error.hpp"
#include "kith/distance/isa.hpp"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace kith::inline v0 {

namespace detail {

#if defined(__x86_64__)

struct CpuidAnswer {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

inline CpuidAnswer cpuid(std::uint32_t leaf, std::uint32_t subleaf) noexcept {
    CpuidAnswer answer;
    __asm__ volatile("cpuid"
                     : "=a"(answer.eax), "=b"(answer.ebx), "=c"(answer.ecx), "=d"(answer.edx)
                     : "a"(leaf), "c"(subleaf));
    return answer;
}

/// The register sets the operating system saves when it switches threads (XCR0).
/// Requires: the processor says OSXSAVE.
inline std::uint32_t saved_registers() noexcept {
    std::uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

inline bool has_x86(Isa isa) noexcept {
    constexpr std::uint32_t fma = 1U << 12, osxsave = 1U << 27, avx = 1U << 28, f16c = 1U << 29;  // leaf 1, ecx
    constexpr std::uint32_t avx2 = 1U << 5;                                                       // leaf 7, ebx
    constexpr std::uint32_t avx512 = 1U << 16 | 1U << 17 | 1U << 28 | 1U << 30 | 1U << 31;        // F, DQ, CD, BW, VL
    constexpr std::uint32_t newer =
        1U << 1 | 1U << 11 | 1U << 12 | 1U << 14;  // leaf 7, ecx: VBMI, VNNI, BITALG, VPOPCNTDQ
    constexpr std::uint32_t xmm = 1U << 1, ymm = 1U << 2, masks = 1U << 5, zmm = 1U << 6 | 1U << 7;  // XCR0
    const auto has = [](std::uint32_t word, std::uint32_t bits) { return (word & bits) == bits; };

    if (cpuid(0, 0).eax < 7 || !has(cpuid(1, 0).ecx, fma | osxsave | avx | f16c)) return false;
    const std::uint32_t saved = saved_registers();
    const CpuidAnswer features = cpuid(7, 0);
    if (!has(saved, xmm | ymm) || !has(features.ebx, avx2)) return false;
    if (isa == Isa::avx2) return true;
    if (!has(saved, masks | zmm) || !has(features.ebx, avx512)) return false;
    return isa == Isa::avx512 || has(features.ecx, newer);
}

#elif defined(__aarch64__)

/// True when the processor has SDOT and UDOT.
inline bool has_dot_product() noexcept {
#if defined(__APPLE__)
    return true;  // every processor that macOS for AArch64 runs on
#elif defined(__linux__)
    constexpr unsigned long dot_product = 1UL << 20;  // HWCAP_ASIMDDP
    return (::getauxval(AT_HWCAP) & dot_product) != 0;
#else
    return false;
#endif
}

#endif

}  // namespace detail

/// True when this processor and its operating system can run code for `isa`.
/// Cost: the first call asks the processor, which takes some 100 µs in a virtual machine; others remember.
[[nodiscard]] inline bool supports(Isa isa) noexcept {
#if defined(__x86_64__)
    static const bool has_avx2 = detail::has_x86(Isa::avx2), has_avx512 = detail::has_x86(Isa::avx512),
                      has_avx512_vnni = detail::has_x86(Isa::avx512_vnni);
    return isa == Isa::scalar || (isa == Isa::avx2 && has_avx2) || (isa == Isa::avx512 && has_avx512) ||
           (isa == Isa::avx512_vnni && has_avx512_vnni);
#elif defined(__aarch64__)
    return isa == Isa::scalar || isa == Isa::neon || (isa == Isa::neon_dot && detail::has_dot_product());
#else
    return isa == Isa::scalar;
#endif
}

/// The instruction set that `wish` names, or the best there is when `wish` is empty.
/// Throws: Errc::invalid_argument when no set has that name or this processor lacks it.
[[nodiscard]] inline Isa isa_for(std::string_view wish) {
    Isa best = Isa::scalar;
    std::string names;
    for (const Isa isa : all_isas) {
        if (!supports(isa)) continue;
        if (name(isa) == wish) return isa;
        best = isa;
        names.append(names.empty() ? "" : ", ").append(name(isa));
    }
    if (wish.empty()) return best;
    raise(Errc::invalid_argument, "KITH_ISA is \"" + std::string(wish) + "\", but this processor has only: " + names);
}

/// The instruction set to make an index with: the one KITH_ISA names, or the best this processor has.
/// Throws: Errc::invalid_argument when KITH_ISA names none that this processor has.
/// Cost: reads the environment and compares names; call it once an index.
[[nodiscard]] inline Isa best_isa() {
    const char* wish = std::getenv("KITH_ISA");
    return isa_for(wish == nullptr ? std::string_view() : std::string_view(wish));
}

}  // namespace kith::inline v0
