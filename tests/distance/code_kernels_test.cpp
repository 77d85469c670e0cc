// tests/distance/code_kernels_test.cpp — every code kernel this processor can run, against plain integers.
#include "kith/distance/code_kernels.hpp"

#include "kith/core/random.hpp"
#include "kith/distance/dispatch.hpp"
#include "support/available_isas.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace {

using kith::CodeKernels;
using kith::CodeQuery;
using kith::CodeTail;
using kith::Isa;
using kith::Slot;

std::vector<std::size_t> dimensions() {
    std::vector<std::size_t> dims = {384, 768, 784, 1536, 4096, 65536};
    for (std::size_t dim = 1; dim <= 130; ++dim) dims.push_back(dim);
    return dims;
}

/// Random rows and a query, and what their distances are.
template <unsigned bits>
class CodedRows {
    using Shape = kith::detail::CodeShape<bits>;

public:
    CodedRows(std::size_t elements, std::size_t rows_made, std::size_t offset, bool extreme)
        : dim(elements), count(rows_made), stride(Shape::row_bytes(elements) + 4) {
        kith::SplitMix64 random(dim * 31 + offset);
        rows_.assign(offset + count * stride + 64, 255);
        codes_.assign((dim + 127) / 128 * 128, 0);
        std::vector<std::int32_t> values(dim);
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            values[i] = extreme ? -127 : static_cast<std::int32_t>(random.below(255)) - 127;
            codes_[Shape::query_at(i, dim)] = static_cast<std::int8_t>(values[i]);
            sum += values[i];
        }
        query = {codes_.data(), 0.3F, 3.7F, Shape::zero * sum};
        rows = rows_.data() + offset;
        constexpr unsigned codes_there_are = bits == 8 ? 256 : 16;
        for (std::size_t row = 0; row < count; ++row) {
            std::uint8_t* const bytes = rows_.data() + offset + row * stride;
            std::fill_n(bytes, Shape::bytes(dim), std::uint8_t{0});
            std::int64_t product = 0;
            for (std::size_t i = 0; i < dim; ++i) {
                const unsigned code =
                    extreme ? codes_there_are - 1 : static_cast<unsigned>(random.below(codes_there_are));
                put(bytes, i, code);
                product += std::int64_t{values[i]} * (std::int64_t{code} - Shape::zero);
            }
            const CodeTail tail{0.7F + static_cast<float>(row), static_cast<float>(row) - 1.1F};
            std::memcpy(bytes + Shape::tail_at(dim), &tail, sizeof(tail));
            truth.push_back(static_cast<double>(query.offset) + static_cast<double>(tail.offset) +
                            static_cast<double>(query.scale) * static_cast<double>(tail.scale) *
                                static_cast<double>(product));
        }
    }

    std::size_t dim, count, stride;
    CodeQuery query;
    const std::uint8_t* rows = nullptr;
    std::vector<double> truth;

private:
    /// The layout as the header tells it: halves of 64 bytes, and of what is left over.
    void put(std::uint8_t* bytes, std::size_t i, unsigned code) const {
        if (bits == 8) {
            bytes[i] = static_cast<std::uint8_t>(code);
            return;
        }
        const std::size_t block = i / 128, in_block = i % 128;
        const std::size_t half = block < dim / 128 ? 64 : (dim % 128 + 1) / 2;
        std::uint8_t& byte = bytes[block * 64 + in_block % half];
        byte = static_cast<std::uint8_t>(byte | code << (in_block < half ? 0 : 4));
    }

    std::vector<std::uint8_t> rows_;
    std::vector<std::int8_t> codes_;
};

template <unsigned bits>
void check_against_truth(const CodeKernels& kernels, const CodedRows<bits>& data) {
    std::vector<float> block(data.count), gathered(data.count);
    kernels.block(data.query, data.rows, data.stride, data.dim, data.count, block.data());
    std::vector<Slot> slots;
    for (Slot slot = 0; slot < data.count; ++slot) slots.push_back(static_cast<Slot>(data.count - 1 - slot));
    kernels.slots(data.query, data.rows, data.stride, data.dim, slots.data(), slots.size(), gathered.data());
    for (std::size_t i = 0; i < data.count; ++i) {
        const double error = std::abs(static_cast<double>(block[i]) - data.truth[i]);
        CHECK(error <= 4e-7 * std::max(10.0, std::abs(data.truth[i])));
        CHECK(block[i] == gathered[data.count - 1 - i]);
    }
    for (Slot slot = 0; slot < data.count; ++slot) {  // whatever stands beside it
        float alone = 0;
        kernels.slots(data.query, data.rows, data.stride, data.dim, &slot, 1, &alone);
        CHECK(alone == block[slot]);
    }
}

template <unsigned bits>
std::vector<float> distances(const CodeKernels& kernels, const CodedRows<bits>& data) {
    std::vector<float> found(data.count);
    kernels.block(data.query, data.rows, data.stride, data.dim, data.count, found.data());
    return found;
}

template <unsigned bits>
void check_everywhere() {
    for (const Isa isa : kith_test::available_isas()) {
        const CodeKernels kernels = kith::code_kernels<bits>(isa);
        CAPTURE(kith::name(isa));
        for (const std::size_t dim : dimensions()) {
            CAPTURE(dim);
            check_against_truth(kernels, CodedRows<bits>(dim, dim > 5000 ? 5 : 11, dim % 5, false));
        }
        check_against_truth(kernels, CodedRows<bits>(kith::longest_coded_row, 5, 0, true));
    }
}

}  // namespace

TEST_CASE("Code kernels sum exactly, in either shape, on every instruction set") {
    SECTION("8 bits") {
        check_everywhere<8>();
    }
    SECTION("4 bits") {
        check_everywhere<4>();
    }
}

TEST_CASE("Encoding puts the largest element at the end of the scale and the rest within half a step") {
    for (const Isa isa : kith_test::available_isas()) {
        const CodeKernels kernels = kith::code_kernels<8>(isa);
        for (const std::size_t dim : dimensions()) {
            CAPTURE(kith::name(isa), dim);
            kith::SplitMix64 random(dim);
            std::vector<float> vector(dim), mean(dim);
            for (float& value : vector) value = static_cast<float>(random.uniform() - 0.5);
            for (float& value : mean) value = static_cast<float>(random.uniform() / 4);
            std::vector<std::int8_t> codes(dim);
            const float factor = 1.75F;
            const float scale = kernels.encode(vector.data(), factor, mean.data(), dim, 127, codes.data());
            float largest = 0, farthest = 0;
            for (std::size_t i = 0; i < dim; ++i) {
                const float centred = vector[i] * factor - mean[i];
                largest = std::max(largest, std::abs(centred));
                farthest = std::max(farthest, std::abs(centred - scale * static_cast<float>(codes[i])));
            }
            CHECK(scale == Approx(largest / 127));
            CHECK(farthest <= scale * 0.5001F);
        }
    }
}

TEST_CASE("A vector has the same code and the same distances on every instruction set, to the last bit") {
    const CodeKernels plain8 = kith::code_kernels<8>(Isa::scalar), plain4 = kith::code_kernels<4>(Isa::scalar);
    for (const std::size_t dim : {1U, 15U, 37U, 100U, 784U, 4096U}) {
        kith::SplitMix64 random(dim + 7);
        std::vector<float> vector(dim), mean(dim);
        std::vector<std::int8_t> expected(dim), codes(dim);
        const CodedRows<8> rows8(dim, 9, 0, false);
        const CodedRows<4> rows4(dim, 9, 0, false);
        for (const Isa isa : kith_test::available_isas()) {
            CAPTURE(kith::name(isa), dim);
            std::size_t different = 0;
            for (std::size_t round = 0; round < 200; ++round) {
                for (float& value : vector) value = static_cast<float>(random.uniform() - 0.5);
                for (float& value : mean) value = static_cast<float>(random.uniform() / 4);
                const auto factor = static_cast<float>(random.uniform() + 0.5);  // as of a vector brought to length 1
                const float steps = round % 2 == 0 ? 127 : 7;
                const float scale = plain8.encode(vector.data(), factor, mean.data(), dim, steps, expected.data());
                different += scale != kith::code_kernels<8>(isa).encode(vector.data(), factor, mean.data(), dim, steps,
                                                                        codes.data());
                different += codes != expected;
            }
            CHECK(different == 0);
            CHECK(distances(kith::code_kernels<8>(isa), rows8) == distances(plain8, rows8));
            CHECK(distances(kith::code_kernels<4>(isa), rows4) == distances(plain4, rows4));
        }
    }
}

TEST_CASE("Vectors without a direction, and those out of all bounds, are encoded all the same") {
    for (const Isa isa : kith_test::available_isas()) {
        const CodeKernels kernels = kith::code_kernels<8>(isa);
        const std::size_t dim = 37;
        std::vector<float> vector(dim, 0.0F), mean(dim, 0.0F);
        std::vector<std::int8_t> codes(dim);
        CHECK(kernels.encode(vector.data(), 1, mean.data(), dim, 127, codes.data()) == 0);
        CHECK(codes == std::vector<std::int8_t>(dim, 0));
        vector[3] = std::numeric_limits<float>::denorm_min();
        CHECK(kernels.encode(vector.data(), 1, mean.data(), dim, 127, codes.data()) == 0);
        vector[3] = std::numeric_limits<float>::max();
        vector[4] = -std::numeric_limits<float>::max();
        CHECK(kernels.encode(vector.data(), 1, mean.data(), dim, 127, codes.data()) > 0);
        CHECK(codes[3] == 127);
        CHECK(codes[4] == -127);
        CHECK(codes[5] == 0);
    }
}
