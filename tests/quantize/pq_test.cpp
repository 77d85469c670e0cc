// tests/quantize/pq_test.cpp — product quantization: codes come near, distances are those of the decoded vectors.
#include "kith/quantize/pq.hpp"

#include "index/points.hpp"
#include "laws/metric_laws.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using kith::ByteReader;
using kith::ByteWriter;
using kith::Cosine;
using kith::Errc;
using kith::InnerProduct;
using kith::L2;
using kith::MatrixView;
using kith::Pq;
using kith::PqParams;
using kith::Slot;
using kith_test::Clusters;
using kith_test::raised;

namespace {

MatrixView view(const std::vector<float>& values, std::size_t dim) {
    return {values.data(), values.size() / dim, dim, dim};
}

template <class Codec>
std::vector<std::byte> encode_all(const Codec& codec, const std::vector<float>& values) {
    kith::ScratchMemory scratch;
    const std::size_t count = values.size() / codec.dim();
    std::vector<std::byte> codes(count * codec.code_bytes());
    for (std::size_t i = 0; i < count; ++i) {
        codec.encode(&values[i * codec.dim()], &codes[i * codec.code_bytes()], scratch);
    }
    return codes;
}

/// The distance the codec promises: between a query and a decoded vector, by the naive sum.
template <class M>
double promised(const float* query, const float* decoded, std::size_t dim) {
    double product = 0, square = 0, length = 0;
    for (std::size_t d = 0; d < dim; ++d) {
        const double a = query[d], b = decoded[d];
        product += a * b;
        square += (a - b) * (a - b);
        length += a * a;
    }
    if constexpr (std::same_as<M, L2>) return square;
    if constexpr (std::same_as<M, InnerProduct>) return -product;
    return 1 - product / std::sqrt(length);
}

template <class M, PqParams P>
void check(std::size_t dim) {
    using Codec = typename Pq<P>::template Codec<M>;
    Clusters clusters(dim);
    const std::vector<float> values = clusters.make(2000);
    const std::vector<float> queries = clusters.make(5);
    const Codec codec = Codec::train(view(values, dim), {});
    REQUIRE(codec.dim() == dim);
    REQUIRE(codec.code_bytes() % 4 == 0);
    const std::vector<std::byte> codes = encode_all(codec, values);
    const auto rows = codec.rows(codes.data());
    kith::ScratchMemory scratch, other;
    std::vector<float> decoded(dim), block(300), gathered(300);
    std::vector<Slot> slots;
    for (Slot slot = 0; slot < 300; ++slot) slots.push_back(slot * 6);
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        const auto scorer = rows.scorer(&queries[at], scratch);
        scorer.score_block(0, 300, block.data());
        scorer.score(slots.data(), slots.size(), gathered.data());
        for (Slot slot = 0; slot < 300; ++slot) {
            codec.decode(&codes[slot * codec.code_bytes()], decoded.data());
            CHECK(block[slot] == Approx(promised<M>(&queries[at], decoded.data(), dim)).margin(1e-3).epsilon(1e-4));
            if (slot < 50)
                CHECK(gathered[slot] == [&] {
                    float one = 0;
                    scorer.score_block(slot * 6, 1, &one);
                    return one;
                }());
        }
    }
    for (Slot slot = 1; slot < 40; ++slot) {  // the same both ways round
        const Slot first = 0;
        float there = 0, back = 0;
        rows.scorer_of(first, scratch).score(&slot, 1, &there);
        rows.scorer_of(slot, other).score(&first, 1, &back);
        CHECK(there == back);
    }

    std::string bytes;
    ByteWriter writer(bytes);
    codec.save(writer);
    ByteReader reader(bytes);
    const Codec loaded = Codec::load(reader, dim);
    CHECK(reader.remaining() == 0);
    CHECK(encode_all(loaded, values) == codes);
    for (std::size_t cut = 0; cut < bytes.size(); cut += 1 + cut / 3) {
        ByteReader torn(std::string_view(bytes).substr(0, cut));
        CHECK(raised([&] { static_cast<void>(Codec::load(torn, dim)); }).code == Errc::corrupt);
    }
    ByteReader elsewhere(bytes);
    CHECK(raised([&] { static_cast<void>(Codec::load(elsewhere, dim + 1)); }).code == Errc::corrupt);
}

}  // namespace

TEMPLATE_TEST_CASE("distances of codes are those of the decoded vectors, on every metric", "", L2, Cosine,
                   InnerProduct) {
    check<TestType, PqParams{.subvectors = 6, .bits = 8}>(12);
    check<TestType, PqParams{.subvectors = 5, .bits = 4}>(10);
    check<TestType, PqParams{.subvectors = 0, .bits = 4}>(7);
    check<TestType, PqParams{.subvectors = 1, .bits = 8}>(1);
}

TEST_CASE("a code comes near its vector, with more bits nearer") {
    constexpr std::size_t dim = 16;
    const std::vector<float> values = Clusters(dim).make(4000);
    const auto error = [&](auto quantizer) {
        const auto codec = decltype(quantizer)::template Codec<L2>::train(view(values, dim), {});
        const std::vector<std::byte> codes = encode_all(codec, values);
        std::vector<float> decoded(dim);
        double sum = 0, variance = 0;
        for (std::size_t i = 0; i < 4000; ++i) {
            codec.decode(&codes[i * codec.code_bytes()], decoded.data());
            sum += static_cast<double>(L2::distance(&values[i * dim], decoded.data(), dim));
            variance += static_cast<double>(L2::distance(&values[i * dim], &values[(i + 1) % 4000 * dim], dim)) / 2;
        }
        return sum / variance;
    };
    const double coarse = error(Pq<PqParams{.subvectors = 4, .bits = 4}>());
    const double fine = error(Pq<PqParams{.subvectors = 4, .bits = 8}>());
    const double finest = error(Pq<PqParams{.subvectors = 8, .bits = 8}>());
    CHECK(coarse < 0.5);
    CHECK(fine < coarse / 2);
    CHECK(finest < fine / 2);
}

TEST_CASE("cosine codes see directions, not lengths, and zeros become a code of zeros") {
    constexpr std::size_t dim = 8;
    using Codec = Pq<PqParams{.subvectors = 4, .bits = 8}>::Codec<Cosine>;
    std::vector<float> values = Clusters(dim).make(1000);
    const Codec codec = Codec::train(view(values, dim), {});
    const std::vector<std::byte> codes = encode_all(codec, values);
    for (float& value : values) value *= 8;
    CHECK(encode_all(codec, values) == codes);
    const std::vector<std::byte> nothing = encode_all(codec, std::vector<float>(dim, 0.0F));
    CHECK(std::all_of(nothing.begin(), nothing.end(), [](std::byte byte) { return byte == std::byte{0}; }));
}

TEST_CASE("a query of the smallest numbers has distances that are numbers under cosine") {
    constexpr std::size_t dim = 8;
    using Codec = Pq<PqParams{.subvectors = 4, .bits = 4}>::Codec<Cosine>;
    const std::vector<float> values = Clusters(dim).make(100);
    const Codec codec = Codec::train(view(values, dim), {});
    const std::vector<std::byte> codes = encode_all(codec, values);
    const std::vector<float> query(dim, std::numeric_limits<float>::denorm_min());
    kith::ScratchMemory scratch;
    std::vector<float> distances(100);
    codec.rows(codes.data()).scorer(query.data(), scratch).score_block(0, 100, distances.data());
    CHECK(std::none_of(distances.begin(), distances.end(), [](float distance) { return std::isnan(distance); }));
}

TEST_CASE("codes do not depend on the number of threads") {
    constexpr std::size_t dim = 12;
    using Codec = Pq<PqParams{.subvectors = 6, .bits = 4}>::Codec<L2>;
    const std::vector<float> values = Clusters(dim).make(3000);
    const auto codes = [&](unsigned threads) {
        return encode_all(Codec::train(view(values, dim), {.seed = 3, .threads = threads, .progress = {}}), values);
    };
    CHECK(codes(1) == codes(3));
}

TEST_CASE("a quantizer that does not fit is refused with both numbers") {
    const std::vector<float> values(300 * 10, 1.0F);
    using Three = Pq<PqParams{.subvectors = 3, .bits = 8}>::Codec<L2>;
    const auto odd = raised([&] { static_cast<void>(Three::train(view(values, 10), {})); });
    CHECK(odd.code == Errc::invalid_argument);
    CHECK(odd.says("3 sub-vectors"));
    CHECK(odd.says("dimension 10"));
    using Five = Pq<PqParams{.subvectors = 5, .bits = 8}>::Codec<L2>;
    CHECK(Five::fewest_vectors(10) == 256);
    const auto few = raised([&] { static_cast<void>(Five::train({values.data(), 255, 10, 10}, {})); });
    CHECK(few.code == Errc::invalid_argument);
    CHECK(few.says("256 vectors"));
    CHECK(few.says("255"));
    kith::Training refusing;
    refusing.progress = [](double) { return false; };
    CHECK(raised([&] { static_cast<void>(Five::train(view(values, 10), refusing)); }).code == Errc::cancelled);
}

TEST_CASE("equal, constant, huge and long vectors are coded") {
    using Codec = Pq<PqParams{.subvectors = 2, .bits = 4}>::Codec<L2>;
    for (const float value : {0.0F, 1.0F, -1e18F, 1e-30F}) {
        const std::vector<float> values(100 * 4, value);
        const Codec codec = Codec::train(view(values, 4), {});
        const std::vector<std::byte> codes = encode_all(codec, values);
        std::vector<float> decoded(4);
        codec.decode(codes.data(), decoded.data());
        for (const float element : decoded) CHECK(element == value);
    }
    using Long = Pq<PqParams{.subvectors = 512, .bits = 4}>::Codec<L2>;
    const std::vector<float> values = Clusters(4096).make(64);
    const Long codec = Long::train(view(values, 4096), {});
    CHECK(codec.code_bytes() == 256);
    CHECK(encode_all(codec, values).size() == 64 * 256);
}
