// tests/quantize/opq_test.cpp — optimized product quantization: the rotation is one, and codes after it lose less.
#include "kith/quantize/opq.hpp"

#include "index/points.hpp"
#include "kith/distance.hpp"
#include "kith/quantize/rotation.hpp"
#include "laws/codec_laws.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

using kith::ByteReader;
using kith::ByteWriter;
using kith::Cosine;
using kith::Errc;
using kith::InnerProduct;
using kith::L2;
using kith::Opq;
using kith::Pq;
using kith::PqParams;
using kith::Training;
using kith::detail::Matrix;
using kith_test::blob;
using kith_test::coded;
using kith_test::raised;
using kith_test::view_of;

namespace {

/// Vectors that vary much along few directions, none of which is an axis, and along each unlike the others.
std::vector<float> correlated(std::size_t rows, std::size_t dim, std::uint64_t seed) {
    const kith::Rotation rotation(dim, 5);
    REQUIRE(rotation.padded_dim() == dim);
    kith::SplitMix64 random(seed);
    std::vector<float> made(rows * dim), straight(dim);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t d = 0; d < dim; ++d) {
            const double noise = random.uniform() + random.uniform() + random.uniform() - 1.5;
            straight[d] = static_cast<float>(noise * 8 / (1 + static_cast<double>(d)) + 1);
        }
        rotation.apply(straight.data(), &made[row * dim]);
    }
    return made;
}

/// The mean squared distance of vectors from their codes, as a share of their variance.
template <class C>
double error_of(const C& codec, const std::vector<float>& vectors) {
    const std::size_t dim = codec.dim(), count = vectors.size() / dim;
    const kith_test::Coded<C> codes(codec, vectors);
    double error = 0, variance = 0;
    for (std::size_t i = 0; i < count; ++i) {
        error += std::pow(kith_test::apart(&vectors[i * dim], codes.decoded(i).data(), dim), 2);
        variance += std::pow(kith_test::apart(&vectors[i * dim], &vectors[(i + 1) % count * dim], dim), 2) / 2;
    }
    return error / variance;
}

/// The matrix of a rotation, from what it makes of the axes: axis i becomes row i.
template <class R>
Matrix matrix_of(const R& rotation) {
    Matrix made(rotation.dim(), rotation.dim());
    for (std::size_t i = 0; i < rotation.dim(); ++i) {
        std::vector<float> axis(rotation.dim());
        axis[i] = 1;
        rotation.apply(axis.data(), made.row(i));
    }
    return made;
}

/// The largest element of M·Mᵀ − I.
double skew(const Matrix& matrix) {
    double largest = 0;
    for (std::size_t i = 0; i < matrix.rows; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double sum = i == j ? -1 : 0;
            for (std::size_t d = 0; d < matrix.columns; ++d) {
                sum += static_cast<double>(matrix.row(i)[d]) * static_cast<double>(matrix.row(j)[d]);
            }
            largest = std::max(largest, std::abs(sum));
        }
    }
    return largest;
}

Matrix random_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed) {
    kith::SplitMix64 random(seed);
    Matrix made(rows, columns);
    for (float& value : made.values) value = static_cast<float>(random.uniform() - 0.5);
    return made;
}

template <class C>
std::string saved(const C& codec) {
    std::string bytes;
    ByteWriter writer(bytes);
    codec.save(writer);
    return bytes;
}

using Opq4 = Opq<PqParams{.bits = 4}>;

}  // namespace

TEST_CASE("codes after a learned rotation keep the laws of codecs") {
    CHECK(Opq4::name == "opq4");
    CHECK(Opq<>::name == "opq8");
    // A word stands for 1.3 to 6 of the vectors' fewest, so that a vector may be far from its own.
    kith_test::check_codec_laws<Opq4, L2>(1.0);
    kith_test::check_codec_laws<Opq4, InnerProduct>(1.0);
    kith_test::check_codec_laws<Opq4, Cosine>(1.0);
}

TEST_CASE("the products of matrices are those of the naive sum") {
    for (const std::size_t width : {1U, 2U, 5U, 31U, 64U, 130U}) {
        const Matrix a = random_matrix(width + 3, width, 1), b = random_matrix(2 * width, width, 2);
        for (const unsigned threads : {1U, 2U}) {
            const Training training{.threads = threads, .progress = {}};
            const Matrix made = kith::detail::times_transposed(a.view(), b.view(), training);
            double worst = 0;
            for (std::size_t i = 0; i < a.rows; ++i) {
                for (std::size_t j = 0; j < b.rows; ++j) {
                    double sum = 0;
                    for (std::size_t d = 0; d < width; ++d) {
                        sum += static_cast<double>(a.row(i)[d]) * static_cast<double>(b.row(j)[d]);
                    }
                    worst = std::max(worst, std::abs(sum - static_cast<double>(made.row(i)[j])));
                }
            }
            CHECK(worst < 1e-5);
        }
    }
    const Matrix tall = random_matrix(2500, 7, 3), beside = random_matrix(2500, 5, 4);
    const Matrix means = kith::detail::mean_products(tall.view(), beside.view(), {});
    for (std::size_t i = 0; i < 7; ++i) {
        for (std::size_t j = 0; j < 5; ++j) {
            double sum = 0;
            for (std::size_t row = 0; row < 2500; ++row) {
                sum += static_cast<double>(tall.row(row)[i]) * static_cast<double>(beside.row(row)[j]);
            }
            CHECK(means.row(i)[j] == Approx(sum / 2500).margin(1e-6));
        }
    }
}

TEST_CASE("the nearest rotation is found, and where there is none that is said") {
    for (const std::size_t width : {1U, 2U, 3U, 17U, 96U}) {
        INFO("width " << width);
        // A rotation that is stretched along axes: Q · S, of singular values 1e-4 to 1.
        const Matrix turned = *kith::detail::nearest_rotation(random_matrix(width, width, 9), 1e-3, {});
        CHECK(skew(turned) < 1e-5);
        Matrix stretched = turned;  // S · Q
        for (std::size_t i = 0; i < width; ++i) {
            const double share = width == 1 ? 0 : static_cast<double>(i) / static_cast<double>(width - 1);
            for (std::size_t j = 0; j < width; ++j) stretched.row(i)[j] *= static_cast<float>(std::pow(1e-4, share));
        }
        const auto found = kith::detail::nearest_rotation(stretched, 1e-4, {});
        REQUIRE(found);
        CHECK(skew(*found) < 1e-5);
        // Q·S and its nearest rotation agree in every direction that is not drowned by rounding.
        for (std::size_t j = 0; j < width; ++j) CHECK(found->row(0)[j] == Approx(turned.row(0)[j]).margin(1e-3));
    }
    CHECK_FALSE(kith::detail::nearest_rotation(Matrix(4, 4), 0.1, {}));
    Matrix infinite = kith::detail::identity_matrix(4);
    infinite.row(2)[1] = std::numeric_limits<float>::infinity();
    CHECK_FALSE(kith::detail::nearest_rotation(infinite, 0.1, {}));
    Matrix flat = kith::detail::identity_matrix(4);
    flat.row(3)[3] = 0;
    CHECK_FALSE(kith::detail::nearest_rotation(flat, 0, {}));
}

TEST_CASE("where few directions outweigh the rest, a learned rotation loses far less at the same bytes", "[measured]") {
    constexpr std::size_t dim = 32;
    const std::vector<float> sample = correlated(6000, dim, 1), others = correlated(2000, dim, 2);
    const auto compare = [&](auto quantizer, auto plain) {
        const auto learned = decltype(quantizer)::template Codec<L2>::train(view_of(sample, dim), {});
        const auto straight = decltype(plain)::template Codec<L2>::train(view_of(sample, dim), {});
        CHECK(learned.code_bytes() == straight.code_bytes());
        CHECK(skew(matrix_of(learned.rotation())) < 1e-5);
        const double with = error_of(learned, others), without = error_of(straight, others);
        INFO(with << " against " << without);
        CHECK(with < 0.7 * without);
    };
    compare(Opq4(), Pq<PqParams{.bits = 4}>());
    compare(Opq<PqParams{.subvectors = 4, .bits = 4}>(), Pq<PqParams{.subvectors = 4, .bits = 4}>());
    compare(Opq<PqParams{.subvectors = 8, .bits = 8}>(), Pq<PqParams{.subvectors = 8, .bits = 8}>());
}

TEST_CASE("improving in turns betters the rotation it starts from", "[measured]") {
    constexpr std::size_t dim = 32;
    Matrix rows(4000, dim);
    rows.values = kith_test::Clusters(dim).make(4000);  // clusters, of which variances say nothing
    const auto error_after = [&](const Matrix& rotation) {
        const Matrix turned = kith::detail::times_transposed(rows.view(), rotation.view(), {});
        return error_of(Pq<PqParams{.bits = 4}>::Codec<L2>::train(turned.view(), {}), turned.values);
    };
    const Matrix start = kith::detail::random_rotation(dim, 1, {});
    const Matrix learned = kith::detail::OpqRun(rows, dim / 2, 16, {}).run();
    CHECK(skew(start) < 1e-5);
    CHECK(skew(learned) < 1e-5);
    CHECK(error_after(learned) < 0.9 * error_after(start));
}

TEST_CASE("a rotation stays one whatever there is to learn from") {
    const auto check = [](const std::vector<float>& values, std::size_t dim) {
        INFO(values.size() / dim << " rows of " << dim);
        const auto codec = Opq4::Codec<L2>::train(view_of(values, dim), {});
        CHECK(skew(matrix_of(codec.rotation())) < 1e-5);
        const std::vector<float> back = kith_test::Coded(codec, values).decoded(values.size() / dim - 1);
        CHECK(std::all_of(back.begin(), back.end(), [](float value) { return std::isfinite(value); }));
    };
    for (const std::size_t dim : {1U, 2U, 3U, 8U, 33U}) check(blob(400, dim, dim), dim);
    check(blob(40, 100, 1), 100);                 // fewer rows than dimensions
    check(std::vector<float>(300 * 8, 2.5F), 8);  // all equal
    std::vector<float> still = blob(500, 16, 2);  // half of the dimensions never change
    for (std::size_t i = 0; i < still.size(); ++i) still[i] = i % 2 == 0 ? 3.0F : still[i];
    check(still, 16);
    std::vector<float> line(400 * 12);  // one direction only
    for (std::size_t i = 0; i < line.size(); ++i) line[i] = static_cast<float>(i / 12) * static_cast<float>(i % 12);
    check(line, 12);
    std::vector<float> huge = blob(400, 8, 3);  // one vector outweighs all others
    std::fill_n(huge.begin(), 8, 1e30F);
    check(huge, 8);
}

TEST_CASE("dimensions that never change cost nothing") {
    constexpr std::size_t dim = 16;
    std::vector<float> values(2000 * dim, 7.0F);
    const std::vector<float> moving = blob(2000, 4, 8);
    for (std::size_t i = 0; i < 2000; ++i) std::copy_n(&moving[i * 4], 4, &values[i * dim + 4]);
    const double learned = error_of(Opq4::Codec<L2>::train(view_of(values, dim), {}), values);
    const double straight = error_of(Pq<PqParams{.bits = 4}>::Codec<L2>::train(view_of(values, dim), {}), values);
    INFO(learned << " against " << straight);
    CHECK(learned < 0.5 * straight);  // eight pieces of words say what two did
}

TEST_CASE("blocks of pieces bound a rotation where dimensions are many or rows are few") {
    using Rotation = kith::detail::LearnedRotation;
    const auto wide =
        Opq<PqParams{.subvectors = 512, .bits = 4}>::Codec<L2>::train(view_of(blob(64, 4096, 1), 4096), {});
    REQUIRE_FALSE(wide.rotation().blocks().empty());
    for (const auto& block : wide.rotation().blocks()) CHECK(block.dim() == 16);  // a quarter of the rows
    const auto whole = Opq4::Codec<L2>::train(view_of(blob(400, 40, 1), 40), {});
    REQUIRE(whole.rotation().blocks().size() == 1);
    CHECK(Opq4::Codec<L2>::train(view_of(blob(31, 40, 1), 40), {}).rotation().blocks().empty());  // under two a word
    const auto long_pieces =
        Opq<PqParams{.subvectors = 2, .bits = 4}>::Codec<L2>::train(view_of(blob(64, 64, 1), 64), {});
    CHECK(long_pieces.rotation().blocks().empty());

    Rotation dealt(20, 5);  // blocks of 3 and 2 pieces
    dealt.add_block(*kith::detail::nearest_rotation(random_matrix(12, 12, 1), 1e-3, {}));
    dealt.add_block(*kith::detail::nearest_rotation(random_matrix(8, 8, 2), 1e-3, {}));
    CHECK(skew(matrix_of(dealt)) < 1e-5);
    const std::vector<float> vector = blob(1, 20, 4);
    std::vector<float> turned(20), back(20);
    dealt.apply(vector.data(), turned.data());
    dealt.invert(turned.data(), back.data());
    for (std::size_t i = 0; i < 20; ++i) CHECK(back[i] == Approx(vector[i]).margin(1e-5));
}

TEST_CASE("the same seed learns the same rotation, with any threads") {
    constexpr std::size_t dim = 24;
    const std::vector<float> values = blob(1500, dim, 11);
    const auto learned = [&](std::uint64_t seed, unsigned threads) {
        return saved(
            Opq4::Codec<Cosine>::train(view_of(values, dim), {.seed = seed, .threads = threads, .progress = {}}));
    };
    const std::string one = learned(3, 1);
    CHECK(learned(3, 1) == one);
    CHECK(learned(3, 3) == one);
    CHECK(learned(4, 1) != one);
}

TEST_CASE("what opq cannot be trained with is refused with both numbers") {
    const std::vector<float> values = blob(300, 10, 1);
    using Three = Opq<PqParams{.subvectors = 3, .bits = 8}>::Codec<L2>;
    const auto odd = raised([&] { static_cast<void>(Three::train(view_of(values, 10), {})); });
    CHECK(odd.code == Errc::invalid_argument);
    CHECK(odd.says("3 sub-vectors"));
    CHECK(odd.says("dimension 10"));
    using Five = Opq<PqParams{.subvectors = 5, .bits = 8}>::Codec<L2>;
    CHECK(Five::fewest_vectors(10) == 256);
    const auto few = raised([&] { static_cast<void>(Five::train({values.data(), 255, 10, 10}, {})); });
    CHECK(few.code == Errc::invalid_argument);
    CHECK(few.says("256 vectors"));
    CHECK(few.says("255"));
}

TEST_CASE("progress of opq rises to the end, and may cancel or throw anywhere") {
    constexpr std::size_t dim = 32;
    const std::vector<float> values = correlated(2000, dim, 4);
    for (const unsigned threads : {1U, 2U}) {
        double last = 0;
        bool fell = false;
        Training watched{.threads = threads, .progress = [&](double done) {
                             fell = fell || done < last || done > 1;
                             last = done;
                             return true;
                         }};
        static_cast<void>(Opq4::Codec<L2>::train(view_of(values, dim), watched));
        CHECK_FALSE(fell);
        CHECK(last == 1);
        for (const double end : {0.0, 0.02, 0.1, 0.25, 0.5, 0.7, 0.9}) {
            watched.progress = [&](double done) { return done < end; };
            CHECK(raised([&] { static_cast<void>(Opq4::Codec<L2>::train(view_of(values, dim), watched)); }).code ==
                  Errc::cancelled);
            watched.progress = [&](double done) -> bool {
                if (done >= end) throw std::runtime_error("no more");
                return true;
            };
            CHECK_THROWS_AS(Opq4::Codec<L2>::train(view_of(values, dim), watched), std::runtime_error);
        }
    }
}

TEST_CASE("a damaged rotation is refused in a sentence") {
    constexpr std::size_t dim = 8;
    using Codec = Opq<PqParams{.subvectors = 4, .bits = 4}>::Codec<L2>;
    const std::string good = saved(Codec::train(view_of(blob(300, dim, 1), dim), {}));
    const auto answer = [&](std::string bytes, std::size_t dimension) {
        ByteReader reader(bytes);
        const auto error = raised([&] { static_cast<void>(Codec::load(reader, dimension)); });
        CHECK(error.code == Errc::corrupt);
        return error.text;
    };
    const auto with = [&](std::size_t at, std::uint32_t value) {
        std::string bytes;
        ByteWriter writer(bytes);
        writer.u32(value);
        return std::string(good).replace(at, 4, bytes);
    };
    const auto contains = [](const std::string& text, const char* words) {
        return text.find(words) != std::string::npos;
    };
    CHECK(contains(answer(good.substr(0, 5), dim), "ends within the header of its rotation"));
    CHECK(contains(answer(good.substr(0, 100), dim), "ends within block 0 of its rotation"));
    CHECK(contains(answer(good, 9), "4 pieces in 1 blocks at offset 0 are not those of dimension 9"));
    CHECK(contains(answer(good, 4096), "4 pieces in 1 blocks at offset 0 are not those of dimension 4096"));
    CHECK(contains(answer(with(0, 0), dim), "0 pieces"));
    CHECK(contains(answer(with(0, 8), dim), "a rotation for 8 sub-vectors, not 4"));
    CHECK(contains(answer(with(4, 5), dim), "4 pieces in 5 blocks"));
    CHECK(contains(answer(with(8, 0x7fc00000), dim), "block 0 of its rotation is not a rotation"));  // a NaN
    CHECK(contains(answer(with(8, 0x7f800000), dim), "block 0 of its rotation is not a rotation"));  // infinity
    CHECK(contains(answer(with(8, 0x40000000), dim), "block 0 of its rotation is not a rotation"));  // 2
    std::string twice = good;  // its second row is its first
    std::copy_n(good.begin() + 8, dim * 4, twice.begin() + 8 + dim * 4);
    CHECK(contains(answer(twice, dim), "block 0 of its rotation is not a rotation"));
    CHECK(contains(answer(good.substr(0, good.size() - 1), dim), "pq codec: ends within its words"));
}
