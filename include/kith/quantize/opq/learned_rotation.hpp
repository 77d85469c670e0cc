// kith/quantize/opq/learned_rotation.hpp — a rotation that was learned, as a matrix for each block of pieces.
//
// A dense matrix for all dimensions would cost dim² for each vector and query. Blocks of at most `widest` dimensions
// bound that; the pieces of a vector are dealt to them in turn, so that data whose first dimensions outweigh the last
// fill all blocks alike.
//
//   saved = pieces:u32 blocks:u32, then each block's matrix, row after row: f32 × width²
//
// Thread safety: only read once it is made.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/random.hpp"
#include "kith/quantize/opq/matrix.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class LearnedRotation {
public:
    static constexpr std::size_t widest = 1024;  ///< dimensions of a block

    /// Leaves vectors as they are. Requires: pieces divides dim.
    LearnedRotation(std::size_t dim, std::size_t pieces) noexcept : dim_(dim), pieces_(pieces) {}

    /// One more block; they are added in order until there are as many as `blocks`.
    /// Requires: the matrix has the width of its block, at most `widest`.
    void add_block(const Matrix& matrix) { blocks_.emplace_back(matrix.view()); }

    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] std::size_t padded_dim() const noexcept { return dim_; }
    [[nodiscard]] std::size_t pieces() const noexcept { return pieces_; }
    [[nodiscard]] const std::vector<Panels>& blocks() const noexcept { return blocks_; }

    /// Dimensions of block `at` of `blocks`.
    [[nodiscard]] std::size_t width(std::size_t at, std::size_t blocks) const noexcept {
        return (pieces_ - at + blocks - 1) / blocks * (dim_ / pieces_);
    }

    /// Copies the dimensions of block `at` of `blocks` together. Shape: `in` holds dim() elements.
    void gather(const float* in, std::size_t at, std::size_t blocks, float* out) const noexcept {
        const std::size_t length = dim_ / pieces_;
        for (std::size_t piece = at; piece < pieces_; piece += blocks) {
            out = std::copy_n(in + piece * length, length, out);
        }
    }

    /// Shape: `in` holds dim() elements, `out` has room for as many; they do not overlap.
    void apply(const float* in, float* out) const noexcept {
        if (blocks_.empty()) std::copy_n(in, dim_, out);
        float gathered[widest], turned[widest + most_padding];
        for (std::size_t at = 0; at < blocks_.size(); ++at) {
            const std::size_t width = blocks_[at].dim();
            gather(in, at, blocks_.size(), gathered);
            blocks_[at].products({gathered, 1, width, width}, turned);
            scatter(turned, at, out);
        }
    }

    /// The rotation back. Shape: `rotated` and `out` hold dim() elements.
    void invert(const float* rotated, float* out) const noexcept {
        if (blocks_.empty()) std::copy_n(rotated, dim_, out);
        float gathered[widest], turned[widest];
        for (std::size_t at = 0; at < blocks_.size(); ++at) {
            gather(rotated, at, blocks_.size(), gathered);
            std::fill_n(turned, blocks_[at].dim(), 0.0F);
            blocks_[at].add_weighted(gathered, turned);
            scatter(turned, at, out);
        }
    }

    void save(ByteWriter& writer) const {
        writer.u32(static_cast<std::uint32_t>(pieces_));
        writer.u32(static_cast<std::uint32_t>(blocks_.size()));
        for (const Panels& block : blocks_) {
            for (std::size_t row = 0; row < block.dim(); ++row) {
                for (std::size_t column = 0; column < block.dim(); ++column) writer.f32(block.at(row, column));
            }
        }
    }

    /// Throws: Errc::corrupt.
    [[nodiscard]] static LearnedRotation load(ByteReader& reader, std::size_t dim) {
        std::uint32_t pieces = 0, blocks = 0;
        const std::size_t at = reader.offset();
        if (!reader.u32(pieces) || !reader.u32(blocks)) {
            raise(Errc::corrupt, "opq codec: ends within the header of its rotation");
        }
        if (pieces == 0 || dim % pieces != 0 || blocks > pieces) refuse_shape(pieces, blocks, at, dim);
        LearnedRotation loaded(dim, pieces);
        if (blocks > 0 && loaded.width(0, blocks) > widest) refuse_shape(pieces, blocks, at, dim);
        for (std::size_t block = 0; block < blocks; ++block) {
            const std::size_t width = loaded.width(block, blocks);
            if (reader.remaining() / sizeof(float) < width * width) {
                raise(Errc::corrupt, "opq codec: ends within block " + std::to_string(block) + " of its rotation");
            }
            Matrix matrix(width, width);
            static_cast<void>(reader.f32s(matrix.values));
            check_rotates(matrix, block);
            loaded.add_block(matrix);
        }
        return loaded;
    }

private:
    static constexpr std::size_t most_padding = 64;  // floats that the widest kernel writes past the last

    [[noreturn]] static void refuse_shape(std::uint32_t pieces, std::uint32_t blocks, std::size_t at, std::size_t dim) {
        raise(Errc::corrupt, "opq codec: " + std::to_string(pieces) + " pieces in " + std::to_string(blocks) +
                                 " blocks at offset " + std::to_string(at) + " are not those of dimension " +
                                 std::to_string(dim));
    }

    /// Rows have length 1, and a vector that is turned there and back is itself, as far as a look at width² numbers
    /// can tell.
    static void check_rotates(const Matrix& matrix, std::size_t block) {
        constexpr double slack = 1e-3;
        const std::size_t width = matrix.columns;
        SplitMix64 random(width);
        std::vector<double> vector(width), back(width);
        for (double& element : vector) element = random.uniform() - 0.5;
        bool is_right = true;
        for (std::size_t row = 0; row < width; ++row) {
            double square = 0, product = 0;
            for (std::size_t column = 0; column < width; ++column) {
                const auto value = static_cast<double>(matrix.row(row)[column]);
                square += value * value;
                product += value * vector[column];
            }
            is_right = is_right && std::abs(square - 1) < slack;  // false for what is not finite
            for (std::size_t column = 0; column < width; ++column) {
                back[column] += product * static_cast<double>(matrix.row(row)[column]);
            }
        }
        for (std::size_t i = 0; i < width; ++i) is_right = is_right && std::abs(back[i] - vector[i]) < slack;
        if (!is_right) {
            raise(Errc::corrupt, "opq codec: block " + std::to_string(block) + " of its rotation is not a rotation");
        }
    }

    void scatter(const float* from, std::size_t at, float* out) const noexcept {
        const std::size_t length = dim_ / pieces_;
        for (std::size_t piece = at; piece < pieces_; piece += blocks_.size(), from += length) {
            std::copy_n(from, length, out + piece * length);
        }
    }

    std::size_t dim_;
    std::size_t pieces_;
    std::vector<Panels> blocks_;  // none: vectors stay as they are
};

}  // namespace kith::inline v0::detail
