// kith/core/matrix_view.hpp — rows of floats that somebody else owns.
#pragma once

#include <cstddef>

namespace kith::inline v0 {

/// Shape: row i holds `dim` elements and begins at data + i · stride; stride is in elements and at least dim.
struct MatrixView {
    const float* data = nullptr;
    std::size_t rows = 0;
    std::size_t dim = 0;
    std::size_t stride = 0;

    [[nodiscard]] const float* row(std::size_t at) const noexcept { return data + at * stride; }
};

}  // namespace kith::inline v0
