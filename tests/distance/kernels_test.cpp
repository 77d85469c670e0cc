// tests/distance/kernels_test.cpp — every kernel this processor can run, against the truth.
#include "kith/distance/kernels.hpp"

#include "distance/wider_build.hpp"
#include "kith/core/random.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "laws/metric_laws.hpp"
#include "support/catch.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <new>
#include <vector>

namespace {

using kith::InnerProduct;
using kith::Isa;
using kith::L2;
using kith::Slot;

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::vector<Isa> available() {
    std::vector<Isa> sets;
    for (const Isa isa : kith::all_isas) {
        if (kith::supports(isa)) sets.push_back(isa);
    }
    return sets;
}

std::vector<std::size_t> dimensions() {
    std::vector<std::size_t> dims = {384, 768, 784, 1536, 4096};
    for (std::size_t dim = 1; dim <= 130; ++dim) dims.push_back(dim);
    return dims;
}

struct Shape {
    std::size_t dim, stride, count;
    std::size_t offset = 0;  // of the first element from a 64-byte boundary
    double scale = 1;        // of the elements
};

/// Random rows and a query, with NaN wherever no kernel may look.
class Poisoned : public Shape {
public:
    explicit Poisoned(const Shape& shape) : Shape(shape) {
        kith::SplitMix64 random(dim * 1000 + stride * 10 + offset);
        query_ = place(random, 1);
        rows_ = place(random, count);
        query = query_.data() + start(query_);
        rows = rows_.data() + start(rows_);
    }

    [[nodiscard]] const float* row(std::size_t slot) const { return rows + slot * stride; }

    const float* query = nullptr;
    const float* rows = nullptr;

private:
    static constexpr std::size_t line = 64 / sizeof(float);

    [[nodiscard]] std::size_t start(const std::vector<float>& memory) const {
        const auto address = reinterpret_cast<std::size_t>(memory.data());
        return (64 - address % 64) % 64 / sizeof(float) + offset;
    }

    [[nodiscard]] std::vector<float> place(kith::SplitMix64& random, std::size_t vectors) const {
        std::vector<float> memory(vectors * stride + 2 * line + offset, not_a_number);
        for (std::size_t i = 0; i < vectors; ++i) {
            const auto vector = kith_test::random_floats(random, dim, scale);
            std::copy(vector.begin(), vector.end(), &memory[start(memory) + i * stride]);
        }
        return memory;
    }

    std::vector<float> query_, rows_;
};

/// What a distance summed in float, in any order of at least eight sums, may differ from the truth.
template <class M>
double tolerance(const float* a, const float* b, std::size_t dim) {
    double magnitude = 0;
    for (std::size_t i = 0; i < dim; ++i) {
        magnitude += std::abs(M::term(static_cast<double>(a[i]), static_cast<double>(b[i])));
    }
    return magnitude * 0x1p-24 * (static_cast<double>(dim) / 8 + 16);
}

template <class M>
void check_against_truth(const Poisoned& data, const float* found, const std::vector<Slot>& slots) {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const double truth = M::distance(data.query, data.row(slots[i]), data.dim);
        const double error = std::abs(static_cast<double>(found[i]) - truth);
        if (!(error <= tolerance<M>(data.query, data.row(slots[i]), data.dim))) ++wrong;  // NaN is wrong
    }
    CHECK(wrong == 0);
}

/// Both shapes over the same rows: each against the truth, both alike, nothing written past the end.
template <class M>
void check_shapes(Isa isa, const Poisoned& data) {
    const kith::Kernels<float> kernels = kith::kernels<M, float>(isa);
    constexpr float untouched = -123456;

    std::vector<Slot> in_order(data.count);
    for (std::size_t i = 0; i < data.count; ++i) in_order[i] = static_cast<Slot>(i);
    std::vector<float> block(data.count + 1, untouched);
    kernels.block(data.query, data.rows, data.stride, data.dim, data.count, block.data());
    check_against_truth<M>(data, block.data(), in_order);
    CHECK(block.back() == untouched);

    std::vector<Slot> slots;  // back to front, the first one again and again in between
    for (std::size_t i = data.count; i-- > 0;) slots.insert(slots.end(), {static_cast<Slot>(i), 0});
    std::vector<float> gathered(slots.size() + 1, untouched);
    kernels.slots(data.query, data.rows, data.stride, data.dim, slots.data(), slots.size(), gathered.data());
    CHECK(gathered.back() == untouched);
    std::size_t different = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) different += gathered[i] != block[slots[i]];
    CHECK(different == 0);

    std::size_t asymmetric = 0;
    for (std::size_t slot = 0; slot < data.count; ++slot) {
        float turned = 0;
        kernels.block(data.row(slot), data.query, data.stride, data.dim, 1, &turned);
        asymmetric += turned != block[slot];
    }
    CHECK(asymmetric == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("kernels of every set, dimension and alignment give the true distances", "", L2, InnerProduct) {
    for (const Isa isa : available()) {
        for (const std::size_t dim : dimensions()) {
            const std::size_t count = dim < 200 ? 11 : 6;
            const std::size_t aligned = (dim + 15) / 16 * 16;
            INFO(TestType::name << "/f32/" << kith::name(isa) << '/' << dim);
            check_shapes<TestType>(isa, Poisoned({dim, aligned, count}));
            check_shapes<TestType>(isa, Poisoned({dim, dim, count}));
            check_shapes<TestType>(isa, Poisoned({dim, dim + 3, count, 1}));
        }
    }
}

TEMPLATE_TEST_CASE("a row's distance does not depend on how many rows are asked about", "", L2, InnerProduct) {
    for (const Isa isa : available()) {
        const auto kernels = kith::kernels<TestType, float>(isa);
        for (const std::size_t dim : {1U, 7U, 31U, 100U, 128U, 785U}) {
            const Poisoned data({dim, dim + 1, 40});
            std::vector<float> all(data.count);
            kernels.block(data.query, data.rows, data.stride, dim, data.count, all.data());
            for (std::size_t count = 0; count <= data.count; ++count) {
                INFO(kith::name(isa) << ", dim " << dim << ", count " << count);
                std::vector<float> some(count + 1, not_a_number);
                std::vector<Slot> slots;
                for (std::size_t i = 0; i < count; ++i) slots.push_back(static_cast<Slot>(i));
                kernels.block(data.query, data.rows, data.stride, dim, count, some.data());
                CHECK(std::equal(some.begin(), some.end() - 1, all.begin()));
                CHECK(std::isnan(some.back()));
                kernels.slots(data.query, data.rows, data.stride, dim, slots.data(), count, some.data());
                CHECK(std::equal(some.begin(), some.end() - 1, all.begin()));
                CHECK(std::isnan(some.back()));
            }
        }
    }
}

TEMPLATE_TEST_CASE("kernels stay finite from tiny to large elements", "", L2, InnerProduct) {
    for (const Isa isa : available()) {
        for (const double scale : {1e-30, 1e-12, 1e12, 1e17}) {
            const Poisoned data({1536, 1536, 5, 0, scale});
            std::vector<float> out(data.count);
            kith::kernels<TestType, float>(isa).block(data.query, data.rows, data.stride, data.dim, data.count,
                                                      out.data());
            INFO(kith::name(isa) << ", elements near " << scale);
            CHECK(std::all_of(out.begin(), out.end(), [](float distance) { return std::isfinite(distance); }));
        }
    }
}

TEMPLATE_TEST_CASE("kernels read nothing past a vector, not even at the end of memory", "", L2, InnerProduct) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t floats = page / sizeof(float);
    void* mapped = ::mmap(nullptr, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(mapped != MAP_FAILED);
    // Two pages of numbers, each with a page behind it that must not be touched.
    float* const query_end = static_cast<float*>(mapped) + floats;
    float* const rows_end = query_end + 2 * floats;
    REQUIRE(::mprotect(query_end, page, PROT_NONE) == 0);
    REQUIRE(::mprotect(rows_end, page, PROT_NONE) == 0);
    std::fill(query_end - floats, query_end, 1.0F);
    std::fill(rows_end - floats, rows_end, 2.0F);
    const auto expected = TestType::distance(query_end - 1, rows_end - 1, 1);

    for (const Isa isa : available()) {
        const auto kernels = kith::kernels<TestType, float>(isa);
        for (std::size_t dim = 1; dim <= 130; ++dim) {
            const Slot slots[] = {0, 1, 2, 3, 4};
            float out[5];
            kernels.block(query_end - dim, rows_end - 5 * dim, dim, dim, 5, out);
            CHECK(out[4] == expected * static_cast<float>(dim));
            kernels.slots(query_end - dim, rows_end - 5 * dim, dim, dim, slots, 5, out);
            CHECK(out[4] == expected * static_cast<float>(dim));
        }
    }
    ::munmap(mapped, 4 * page);
}

TEST_CASE("portable kernels of sources built with different flags are different functions") {
    const kith::Kernels<float> here = kith::detail::portable_kernels<L2, float, kith::detail::ThisBuild>();
    const kith::Kernels<float> wider = kith_test::wider_build_kernels;
    const bool same_flags = kith::detail::build_features() == kith_test::wider_build_features;
    CHECK((here.slots == wider.slots) == same_flags);
    CHECK((here.block == wider.block) == same_flags);

    const Poisoned data({100, 100, 9});  // and this one runs on the processor at hand
    std::vector<float> out(data.count);
    here.block(data.query, data.rows, data.stride, data.dim, data.count, out.data());
    std::vector<Slot> slots(data.count);
    for (std::size_t i = 0; i < data.count; ++i) slots[i] = static_cast<Slot>(i);
    check_against_truth<L2>(data, out.data(), slots);
}
