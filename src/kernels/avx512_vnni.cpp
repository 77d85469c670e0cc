// src/kernels/avx512_vnni.cpp — the kernels for AVX-512 with VNNI, VPOPCNTDQ, BITALG and VBMI, in a source of their own
// because of its flags.
#include "kernels/kernels.hpp"
#include "kernels/table.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable avx512_vnni_kernels() noexcept {
    return avx512_kernels();  // floats gain nothing
}

}  // namespace detail

}  // namespace kith::inline v0
