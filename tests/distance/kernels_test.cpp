// tests/distance/kernels_test.cpp — every kernel this processor can run, against the truth.
#include "kith/distance/kernels.hpp"

#include "distance/wider_build.hpp"
#include "kith/distance/hamming.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/jaccard.hpp"
#include "kith/distance/l2.hpp"
#include "laws/kernel_laws.hpp"
#include "laws/metric_laws.hpp"
#include "support/catch.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

// Every metric and element that kernels are written for.
#define KERNEL_PAIRS                                                                                     \
    (Pair<L2, float>), (Pair<InnerProduct, float>), (Pair<L2, Half>), (Pair<InnerProduct, Half>),        \
        (Pair<L2, Bfloat16>), (Pair<InnerProduct, Bfloat16>), (Pair<L2, std::int8_t>),                   \
        (Pair<InnerProduct, std::int8_t>), (Pair<L2, std::uint8_t>), (Pair<InnerProduct, std::uint8_t>), \
        (Pair<Hamming, Bits8>), (Pair<Jaccard, Bits8>)

using kith::Bfloat16;
using kith::Bits8;
using kith::Half;
using kith::Hamming;
using kith::InnerProduct;
using kith::Isa;
using kith::Jaccard;
using kith::L2;
using kith::Slot;
using kith_test::available_isas;
using kith_test::check_against_truth;
using kith_test::Pair;
using kith_test::Poisoned;

namespace {

std::vector<std::size_t> dimensions() {
    std::vector<std::size_t> dims = {384, 768, 784, 1000, 1536, 4096};
    for (std::size_t dim = 1; dim <= 130; ++dim) dims.push_back(dim);
    return dims;
}

}  // namespace

TEMPLATE_TEST_CASE("kernels of every set, dimension and alignment give the true distances", "", KERNEL_PAIRS) {
    using M = typename TestType::Metric;
    using T = typename TestType::Element;
    for (const Isa isa : available_isas()) {
        for (const std::size_t dim : dimensions()) {
            const std::size_t count = dim < 200 ? 11 : 6;
            const std::size_t aligned = (dim + 63) / 64 * 64;
            INFO(M::name << '/' << kith::element_name<T> << '/' << kith::name(isa) << '/' << dim);
            kith_test::check_shapes<M>(isa, Poisoned<T>({dim, aligned, count}));
            kith_test::check_shapes<M>(isa, Poisoned<T>({dim, dim, count}));
            kith_test::check_shapes<M>(isa, Poisoned<T>({dim, dim + 3, count, 1}));
        }
    }
}

TEMPLATE_TEST_CASE("a row's distance does not depend on how many rows are asked about", "", KERNEL_PAIRS) {
    using M = typename TestType::Metric;
    using T = typename TestType::Element;
    for (const Isa isa : available_isas()) {
        for (const std::size_t dim : {1U, 7U, 31U, 100U, 128U, 785U}) {
            INFO(M::name << '/' << kith::element_name<T> << '/' << kith::name(isa) << '/' << dim);
            kith_test::check_grouping<M>(isa, Poisoned<T>({dim, dim + 1, 40}));
        }
    }
}

TEMPLATE_TEST_CASE("integers and bits are summed exactly up to the longest row and the ends of their range", "",
                   (Pair<L2, std::int8_t>), (Pair<InnerProduct, std::int8_t>), (Pair<L2, std::uint8_t>),
                   (Pair<InnerProduct, std::uint8_t>), (Pair<Hamming, Bits8>), (Pair<Jaccard, Bits8>)) {
    using M = typename TestType::Metric;
    using T = typename TestType::Element;
    for (const std::size_t dim : {std::size_t{97}, kith::longest_integer_row - 1, kith::longest_integer_row}) {
        Poisoned<T> data({dim, dim, 5});
        for (const Isa isa : available_isas()) kith_test::check_shapes<M>(isa, data);
        for (const T in_query : kith_test::extreme_elements<T>()) {
            for (const T in_rows : kith_test::extreme_elements<T>()) {
                data.fill(in_query, in_rows);
                for (const Isa isa : available_isas()) {
                    INFO(M::name << '/' << kith::element_name<T> << '/' << kith::name(isa) << '/' << dim);
                    float found = 0;
                    kith::kernels<M, T>(isa).block(data.query, data.rows, data.stride, dim, 1, &found);
                    CHECK(found == M::distance(data.query, data.rows, dim));
                }
            }
        }
    }
}

TEMPLATE_TEST_CASE("subnormal and largest halves are worth what they are worth", "", (Pair<L2, Half>),
                   (Pair<InnerProduct, Half>)) {
    using M = typename TestType::Metric;
    Poisoned<Half> data({100, 100, 5});
    for (const Half in_query : kith_test::extreme_elements<Half>()) {
        for (const Half in_rows : kith_test::extreme_elements<Half>()) {
            data.fill(in_query, in_rows);
            for (const Isa isa : available_isas()) kith_test::check_shapes<M>(isa, data);
        }
    }
}

TEMPLATE_TEST_CASE("a query of floats is not rounded to the rows' two bytes", "", (Pair<L2, Half>),
                   (Pair<InnerProduct, Half>), (Pair<L2, Bfloat16>), (Pair<InnerProduct, Bfloat16>)) {
    using M = typename TestType::Metric;
    using T = typename TestType::Element;
    kith::SplitMix64 random(5);
    for (const std::size_t dim : {3U, 100U, 768U}) {
        const std::vector<float> query = kith_test::random_floats(random, dim);
        const std::vector<T> row = kith_test::random_elements<T>(random, dim);
        const double truth = kith_test::true_distance<M>(query.data(), row.data(), dim);
        for (const Isa isa : available_isas()) {
            float found = 0;
            kith::kernels<M, T>(isa).block(query.data(), row.data(), dim, dim, 1, &found);
            CHECK(std::abs(static_cast<double>(found) - truth) <=
                  kith_test::tolerance<M>(query.data(), row.data(), dim));
        }
    }
}

TEMPLATE_TEST_CASE("kernels stay finite from tiny to large elements", "", (Pair<L2, float>),
                   (Pair<InnerProduct, float>), (Pair<L2, Bfloat16>), (Pair<InnerProduct, Bfloat16>)) {
    using T = typename TestType::Element;
    for (const Isa isa : available_isas()) {
        for (const double scale : {1e-30, 1e-12, 1e12, 1e17}) {
            const Poisoned<T> data({1536, 1536, 5, 0, scale});
            std::vector<float> out(data.count);
            kith::kernels<typename TestType::Metric, T>(isa).block(data.query, data.rows, data.stride, data.dim,
                                                                   data.count, out.data());
            INFO(kith::name(isa) << ", elements near " << scale);
            CHECK(std::all_of(out.begin(), out.end(), [](float distance) { return std::isfinite(distance); }));
        }
    }
}

TEMPLATE_TEST_CASE("kernels read nothing past a vector, not even at the end of memory", "", KERNEL_PAIRS) {
    using M = typename TestType::Metric;
    using T = typename TestType::Element;
    using Query = kith::QueryElement<T>;
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* mapped = ::mmap(nullptr, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(mapped != MAP_FAILED);
    // Two pages of elements, each with a page behind it that must not be touched.
    char* const memory = static_cast<char*>(mapped);
    Query* const query_end = reinterpret_cast<Query*>(memory + page);
    T* const rows_end = reinterpret_cast<T*>(memory + 3 * page);
    kith::SplitMix64 random(3);
    const std::vector<T> elements = kith_test::random_elements<T>(random, page / sizeof(T));
    const std::vector<Query> query = kith_test::query_of(elements.data(), page / sizeof(Query));
    std::memcpy(memory, query.data(), page);
    std::memcpy(memory + 2 * page, elements.data(), page);
    REQUIRE(::mprotect(memory + page, page, PROT_NONE) == 0);
    REQUIRE(::mprotect(memory + 3 * page, page, PROT_NONE) == 0);

    for (const Isa isa : available_isas()) {
        const auto kernels = kith::kernels<M, T>(isa);
        for (std::size_t dim = 1; dim <= 130; ++dim) {
            INFO(kith::name(isa) << ", dim " << dim);
            const T* const last = rows_end - dim;
            const double truth = kith_test::true_distance<M>(query_end - dim, last, dim);
            const double allowed = kith_test::tolerance<M>(query_end - dim, last, dim);
            const Slot slots[] = {0, 1, 2, 3, 4};
            float out[5];
            kernels.block(query_end - dim, rows_end - 5 * dim, dim, dim, 5, out);
            CHECK(std::abs(static_cast<double>(out[4]) - truth) <= allowed);
            kernels.slots(query_end - dim, rows_end - 5 * dim, dim, dim, slots, 5, out);
            CHECK(std::abs(static_cast<double>(out[4]) - truth) <= allowed);
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

    const Poisoned<float> data({100, 100, 9});  // and this one runs on the processor at hand
    std::vector<float> out(data.count);
    here.block(data.query, data.rows, data.stride, data.dim, data.count, out.data());
    std::vector<Slot> slots(data.count);
    for (std::size_t i = 0; i < data.count; ++i) slots[i] = static_cast<Slot>(i);
    check_against_truth<L2>(data, out.data(), slots);
}
