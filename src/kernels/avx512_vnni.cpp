// src/kernels/avx512_vnni.cpp — the kernels for AVX-512 with VNNI, VPOPCNTDQ, BITALG and VBMI, in a source of their own
// because of its flags.
#include "kernels/codes.hpp"
#include "kernels/elements.hpp"
#include "kernels/packed.hpp"
#include "kernels/table.hpp"
#include "kith/distance/portable.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable avx512_vnni_kernels() noexcept {
    KernelTable table = avx512_kernels();  // floats of any size gain nothing
    table.codes8 = make_code_kernels<8, ThisBuild>();
    table.codes4 = make_code_kernels<4, ThisBuild>();
    add_integer_kernels<ThisBuild>(table.elements);
    table.packed = make_packed_kernels<PackedVnni>();
    return table;
}

}  // namespace detail

}  // namespace kith::inline v0
