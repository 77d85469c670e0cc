// tests/distance/packed_dots_test.cpp — packed codes of every width on every instruction set, against plain sums.
#include "kith/distance/packed_dots.hpp"

#include "kith/core/random.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/packed_dispatch.hpp"
#include "kith/quantize/packed_code.hpp"
#include "support/catch.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using kith::Isa;
using kith::Slot;

/// Codes at the end of memory: one byte past the last is a fault.
class CodesAtTheEdge {
public:
    explicit CodesAtTheEdge(std::size_t bytes) : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
        size_ = (bytes + page_ - 1) / page_ * page_ + page_;
        void* const mapped = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(mapped != MAP_FAILED);
        memory_ = static_cast<std::byte*>(mapped);
        REQUIRE(::mprotect(memory_ + size_ - page_, page_, PROT_NONE) == 0);
        begin_ = memory_ + size_ - page_ - bytes;
    }
    CodesAtTheEdge(const CodesAtTheEdge&) = delete;
    CodesAtTheEdge& operator=(const CodesAtTheEdge&) = delete;
    ~CodesAtTheEdge() { ::munmap(memory_, size_); }

    [[nodiscard]] std::byte* begin() const { return begin_; }

private:
    std::size_t page_, size_ = 0;
    std::byte* memory_ = nullptr;
    std::byte* begin_ = nullptr;
};

/// Random elements and factors; `extreme` ones are the largest there can be.
struct Example {
    Example(unsigned bits, std::size_t dim, std::size_t count, bool extreme) : factors(dim) {
        kith::SplitMix64 random(dim * 10 + bits);
        for (auto& factor : factors) {
            factor = static_cast<std::int8_t>(extreme ? -128 : static_cast<int>(random.below(256)) - 128);
        }
        elements.resize(count * dim);
        for (auto& element : elements) {
            element = static_cast<std::uint8_t>(extreme ? (1U << bits) - 1 : random.below(1U << bits));
        }
    }

    [[nodiscard]] std::int32_t truth(std::size_t row) const {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < factors.size(); ++i) sum += factors[i] * elements[row * factors.size() + i];
        return sum;
    }

    std::vector<std::int8_t> factors;
    std::vector<std::uint8_t> elements;
};

void check(unsigned bits, std::size_t dim, std::size_t head, bool extreme) {
    constexpr std::size_t count = 11;
    const Example example(bits, dim, count, extreme);
    const kith::PackedShape shape{dim, head, head + kith::detail::packed_bytes(bits, dim)};
    const CodesAtTheEdge codes(count * shape.stride);
    for (std::size_t row = 0; row < count; ++row) {
        std::byte* const code = codes.begin() + row * shape.stride;
        kith::detail::pack(bits, &example.elements[row * dim], dim, code + head, code + shape.stride);
        std::vector<std::uint8_t> again(dim);
        kith::detail::unpack(bits, code + head, dim, again.data());
        CHECK(std::equal(again.begin(), again.end(), &example.elements[row * dim]));
    }
    std::vector<std::int8_t> query(kith::detail::packed_query_bytes(bits, dim));
    kith::detail::prepare_factors(bits, example.factors.data(), dim, query.data());
    for (const Isa isa : kith::all_isas) {
        if (!kith::supports(isa)) continue;
        INFO("packed/" << bits << '/' << kith::name(isa) << '/' << dim);
        const kith::PackedDots dots = kith::packed_dots(bits, isa);
        std::vector<std::int32_t> block(count + 1, -1), gathered(count + 1, -1);
        std::vector<Slot> slots;
        for (std::size_t i = 0; i < count; ++i) slots.push_back(static_cast<Slot>(i * 4 % count));
        dots.block(query.data(), codes.begin(), shape, count, block.data());
        dots.slots(query.data(), codes.begin(), shape, slots.data(), count, gathered.data());
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < count; ++i) {
            wrong += block[i] != example.truth(i);
            wrong += gathered[i] != example.truth(slots[i]);
        }
        CHECK(wrong == 0);
        CHECK(block.back() == -1);
        CHECK(gathered.back() == -1);
    }
}

}  // namespace

TEST_CASE("packed codes of every width give exact inner products and read nothing past them") {
    for (unsigned bits = 1; bits <= 8; ++bits) {
        for (std::size_t dim = 1; dim <= 130; ++dim) check(bits, dim, dim % 3 * 8, false);
        for (const std::size_t dim : {384U, 768U, 784U, 1536U, 4096U}) check(bits, dim, 16, false);
    }
}

TEST_CASE("the largest elements and factors overflow nothing") {
    for (unsigned bits = 1; bits <= 8; ++bits) {
        for (const std::size_t dim : {64U, 513U, 4096U, 65536U}) check(bits, dim, 4, true);
    }
}
