// src/kernels/avx512_vnni.cpp — the kernels for AVX-512 with VNNI, VPOPCNTDQ, BITALG and VBMI, in a source of their own
// because of its flags.
#include "kernels/bytes.hpp"
#include "kernels/table.hpp"
#include "kith/distance/portable.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable avx512_vnni_kernels() noexcept {
    KernelTable table = avx512_kernels();  // floats gain nothing
    table.bytes = make_byte_kernels<ThisBuild>();
    return table;
}

}  // namespace detail

}  // namespace kith::inline v0
