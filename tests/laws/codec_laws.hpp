// tests/laws/codec_laws.hpp — what every codec promises, whichever quantizer it is of.
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/random.hpp"
#include "kith/distance.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/rotated.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace kith_test {

/// Vectors around a point that is not zero, `wide` of whose dimensions outweigh the others, as real ones lie.
inline std::vector<float> blob(std::size_t rows, std::size_t dim, std::uint64_t seed, double scale = 1) {
    kith::SplitMix64 random(seed);
    std::vector<float> made(rows * dim);
    for (std::size_t i = 0; i < made.size(); ++i) {
        const double noise = random.uniform() + random.uniform() + random.uniform() + random.uniform() - 2;
        const double centre = static_cast<double>(i % dim % 5) * 0.25;
        made[i] = static_cast<float>((centre + noise * (i % dim % 7 == 0 ? 2 : 1)) * scale);
    }
    return made;
}

inline kith::MatrixView view_of(const std::vector<float>& values, std::size_t dim) {
    return {values.data(), values.size() / dim, dim, dim};
}

/// A codec and the codes of vectors, in memory of exactly the bytes a codec may read: 64 behind the last code.
template <class C>
class Coded {
public:
    Coded(C codec, const std::vector<float>& vectors)
        : codec_(std::move(codec)), count_(vectors.size() / codec_.dim()), codes_(count_ * codec_.code_bytes() + 64) {
        kith::ScratchMemory scratch;
        for (std::size_t i = 0; i < count_; ++i) {
            codec_.encode(&vectors[i * codec_.dim()], codes_.data() + i * codec_.code_bytes(), scratch);
        }
    }

    [[nodiscard]] const C& codec() const { return codec_; }
    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] const std::vector<std::byte>& codes() const { return codes_; }
    [[nodiscard]] auto rows() const { return codec_.rows(codes_.data()); }

    [[nodiscard]] std::vector<float> decoded(std::size_t at) const {
        std::vector<float> vector(codec_.dim());
        codec_.decode(codes_.data() + at * codec_.code_bytes(), vector.data());
        return vector;
    }

    /// The distances of `query` to all, by score_block.
    [[nodiscard]] std::vector<float> distances(const float* query) const {
        kith::ScratchMemory scratch;
        return all_of(rows().scorer(query, scratch));
    }
    [[nodiscard]] std::vector<float> distances_of(kith::Slot slot) const {
        kith::ScratchMemory scratch;
        return all_of(rows().scorer_of(slot, scratch));
    }

private:
    template <kith::Scorer S>
    [[nodiscard]] std::vector<float> all_of(const S& scorer) const {
        std::vector<float> out(count_);
        scorer.score_block(0, count_, out.data());
        return out;
    }

    C codec_;
    std::size_t count_;
    std::vector<std::byte> codes_;
};

template <class C>
Coded<C> coded(const std::vector<float>& vectors, std::size_t dim) {
    return Coded<C>(C::train(view_of(vectors, dim), kith::Training{}), vectors);
}

/// ‖a − b‖.
inline double apart(const float* a, const float* b, std::size_t dim) {
    double sum = 0;
    for (std::size_t i = 0; i < dim; ++i) {
        const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
        sum += difference * difference;
    }
    return std::sqrt(sum);
}

/// ‖a‖, and a / ‖a‖ where metric M compares directions.
inline double length(const float* a, std::size_t dim) {
    const std::vector<float> zero(dim);
    return apart(a, zero.data(), dim);
}

template <class M>
std::vector<float> as_compared(const float* vector, std::size_t dim) {
    std::vector<float> made(vector, vector + dim);
    const double norm = length(vector, dim);
    if (std::is_same_v<M, kith::Cosine> && norm > 0) {
        for (float& element : made) element = static_cast<float>(static_cast<double>(element) / norm);
    }
    return made;
}

template <class Scorer>
void check_both_calls_agree(const Scorer& scorer, std::size_t count) {
    std::vector<float> block(count), gathered(count), alone(count);
    scorer.score_block(0, count, block.data());
    std::vector<kith::Slot> slots;
    for (std::size_t i = 0; i < count; ++i) slots.push_back(static_cast<kith::Slot>((i * 7 + 3) % count));
    if (count % 7 == 0) std::reverse(slots.begin(), slots.end());
    scorer.score(slots.data(), count, gathered.data());
    bool same = true;
    for (std::size_t i = 0; i < count; ++i) {
        scorer.prefetch(slots[i]);
        scorer.score_block(slots[i], 1, &alone[i]);
        same = same && gathered[i] == block[slots[i]] && alone[i] == gathered[i];
    }
    CHECK(same);
}

/// What `check` says of each dimension worth looking at.
template <class Check>
void for_dimensions(const Check& check) {
    for (const std::size_t dim : {1U, 2U, 3U, 15U, 31U, 64U, 100U, 127U, 129U, 768U, 4096U}) {
        INFO("dim " << dim);
        check(dim, dim > 1000 ? std::size_t{21} : std::size_t{100});
    }
}

template <class C>
void check_encode_is_deterministic() {
    for_dimensions([](std::size_t dim, std::size_t count) {
        const std::vector<float> vectors = blob(count, dim, dim);
        const auto first = coded<C>(vectors, dim);
        const auto second = coded<C>(vectors, dim);
        CHECK(first.codes() == second.codes());
        CHECK(first.codec().dim() == dim);
        CHECK(first.codec().code_bytes() % 4 == 0);
    });
}

template <class C>
void check_load_gives_what_was_saved() {
    for_dimensions([](std::size_t dim, std::size_t count) {
        const std::vector<float> vectors = blob(count, dim, dim + 1);
        const auto before = coded<C>(vectors, dim);
        std::string saved;
        kith::ByteWriter writer(saved);
        before.codec().save(writer);
        kith::ByteReader reader(saved);
        const Coded<C> after(C::load(reader, dim), vectors);
        CHECK(reader.remaining() == 0);
        CHECK(C::space(dim).code_bytes == before.codec().code_bytes());
        CHECK(C::space(dim).saved_bytes >= saved.size());
        CHECK(after.codes() == before.codes());
        CHECK(after.distances(vectors.data()) == before.distances(vectors.data()));
        CHECK(after.distances_of(1) == before.distances_of(1));
    });
}

template <class C>
void check_scorers() {
    for_dimensions([](std::size_t dim, std::size_t count) {
        const std::vector<float> vectors = blob(count, dim, dim + 2);
        const auto codes = coded<C>(vectors, dim);
        kith::ScratchMemory scratch;
        check_both_calls_agree(codes.rows().scorer(blob(1, dim, 99).data(), scratch), count);
        check_both_calls_agree(codes.rows().scorer_of(static_cast<kith::Slot>(count / 2), scratch), count);
        std::size_t asymmetric = 0;
        const std::vector<float> of_third = codes.distances_of(3);
        for (kith::Slot slot = 0; slot < count; ++slot) asymmetric += codes.distances_of(slot)[3] != of_third[slot];
        CHECK(asymmetric == 0);
    });
}

/// The mean of what metric M compares.
template <class M>
std::vector<float> mean_as_compared(const std::vector<float>& vectors, std::size_t dim) {
    std::vector<double> sums(dim);
    for (std::size_t row = 0; row < vectors.size(); row += dim) {
        const std::vector<float> vector = as_compared<M>(&vectors[row], dim);
        for (std::size_t i = 0; i < dim; ++i) sums[i] += static_cast<double>(vector[i]);
    }
    std::vector<float> mean(dim);
    for (std::size_t i = 0; i < dim; ++i) {
        mean[i] = static_cast<float>(sums[i] * static_cast<double>(dim) / static_cast<double>(vectors.size()));
    }
    return mean;
}

/// decode comes as near as `share` of what is left about the mean, or of the usual length of that where it is more.
/// Returns what is lost, of what is left, usually.
template <class M, class C>
double check_decoding(const Coded<C>& codes, const std::vector<float>& vectors, double share) {
    const std::size_t dim = codes.codec().dim();
    const std::vector<float> mean = mean_as_compared<M>(vectors, dim);
    std::vector<double> left, lost;
    double left_squares = 0, lost_squares = 0;
    for (std::size_t i = 0; i < codes.count(); ++i) {
        const std::vector<float> vector = as_compared<M>(&vectors[i * dim], dim);
        left.push_back(apart(vector.data(), mean.data(), dim));
        lost.push_back(apart(vector.data(), codes.decoded(i).data(), dim));
        left_squares += left.back() * left.back();
        lost_squares += lost.back() * lost.back();
    }
    const double usual = std::sqrt(left_squares / static_cast<double>(codes.count()));
    for (std::size_t i = 0; i < codes.count(); ++i) {
        INFO("row " << i << ": lost " << lost[i] << " of " << left[i]);
        CHECK(lost[i] <= share * std::max(left[i], usual) + 1e-5);
    }
    return std::sqrt(lost_squares / left_squares);
}

/// A vector, what its code stands for, and how far apart the two are.
struct Decoded {
    std::vector<float> vector, code;
    double lost = 0;
};

/// How far `found` is from the distance of what the codes of a and b stand for, as metric M compares that. Codecs go by
/// either of two forms where it makes a difference that the code is not the vector: under Cosine half of L2 or
/// 1 − ⟨a, b⟩, under InnerProduct the mean's product with the code or with the vector itself.
template <class M>
double distance_error(float found, const Decoded& a, const Decoded& b, const std::vector<float>& mean) {
    const std::size_t dim = mean.size();
    const auto product = [&](const std::vector<float>& x, const std::vector<float>& y) {
        return -static_cast<double>(kith::InnerProduct::distance(x.data(), y.data(), dim));
    };
    const auto from = [&](double truth) { return std::abs(static_cast<double>(found) - truth); };
    const double square = std::pow(apart(a.code.data(), b.code.data(), dim), 2), of_codes = product(a.code, b.code);
    if constexpr (std::is_same_v<M, kith::L2>) return from(square);
    if constexpr (std::is_same_v<M, kith::Cosine>) return std::min(from(square / 2), from(1 - of_codes));
    const double of_mean =
        product(mean, a.code) - product(mean, a.vector) + product(mean, b.code) - product(mean, b.vector);
    return std::min(from(-of_codes), from(of_mean - of_codes));
}

/// Whether a code holds more elements than the vector that decode gives back.
template <class C>
inline constexpr bool pads = false;
template <class C>
inline constexpr bool pads<kith::detail::RotatedCodec<C, kith::detail::SeededRotation>> = true;

/// A distance is that of the decoded vectors: between two codes but for rounding, from a query but for what a query
/// loses when it becomes bytes.
template <class M, class C>
void check_distances_of_decoded(const Coded<C>& codes, const std::vector<float>& vectors, const float* query) {
    constexpr double lost_of_query = 0.02;  // half a step of 127, with elements up to five times the usual one
    const std::size_t dim = codes.codec().dim();
    if (pads<C> && dim < 16) return;  // most of what is lost is not given back
    const std::vector<float> mean = mean_as_compared<M>(vectors, dim), zero(dim);
    const auto decoded = [&](std::size_t i) {
        Decoded made{as_compared<M>(&vectors[i * dim], dim), codes.decoded(i)};
        made.lost = apart(made.vector.data(), made.code.data(), dim);
        return made;
    };
    const Decoded first = decoded(0);
    const std::vector<float> compared = as_compared<M>(query, dim);
    const std::vector<float> by_query = codes.distances(query), by_code = codes.distances_of(0);
    const double reach = apart(compared.data(), mean.data(), dim);
    const float* const origin = std::is_same_v<M, kith::InnerProduct> ? zero.data() : mean.data();
    for (std::size_t i = 0; i < codes.count(); ++i) {
        const Decoded code = decoded(i);
        const double rounding =
            1e-5 * (1 + std::pow(length(code.code.data(), dim) + length(first.code.data(), dim), 2));
        // What is lost in elements that a rotation added counts, and is not given back.
        const auto width = static_cast<double>((dim + 15) / 16 * 16);
        const double unseen =
            pads<C> && dim % 16 != 0 ? std::pow(first.lost + code.lost, 2) * width / static_cast<double>(dim) : 0;
        INFO("row " << i << ", rounding " << rounding << ", reach " << reach << ", unseen " << unseen);
        CHECK(distance_error<M>(by_code[i], first, code, mean) <= unseen + rounding);
        const double room = 2 * lost_of_query * reach * (reach + apart(code.code.data(), origin, dim));
        CHECK(distance_error<M>(by_query[i], {compared, compared}, code, mean) <= room + unseen + rounding);
    }
}

/// Numbers beside the true ones.
struct Comparison {
    double error = 0;        // root of the mean square
    double spread = 0;       // of the true ones about their mean, likewise
    double correlation = 0;  // no number where one side is constant
};

inline Comparison compare(const std::vector<float>& found, const std::vector<double>& truth) {
    const auto count = static_cast<double>(found.size());
    double found_sum = 0, truth_sum = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        found_sum += static_cast<double>(found[i]);
        truth_sum += truth[i];
    }
    double errors = 0, products = 0, found_squares = 0, truth_squares = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        const double x = static_cast<double>(found[i]) - found_sum / count, y = truth[i] - truth_sum / count;
        errors += std::pow(static_cast<double>(found[i]) - truth[i], 2);
        products += x * y;
        found_squares += x * x;
        truth_squares += y * y;
    }
    return {std::sqrt(errors / count), std::sqrt(truth_squares / count),
            products / std::sqrt(found_squares * truth_squares)};
}

/// A distance that is right on average: its errors are those of the code in a random direction, so, of the spread of
/// the true distances, hardly more than the share that decoding loses.
template <class M, class C>
void check_estimates(const Coded<C>& codes, const std::vector<float>& vectors, const float* query, double lost) {
    const std::size_t dim = codes.codec().dim();
    if (dim < 64) return;  // too few elements for their errors to cancel
    const std::vector<float> by_query = codes.distances(query);
    std::vector<float> by_code = codes.distances_of(0);
    by_code.erase(by_code.begin());  // that of the first to itself
    std::vector<double> of_query, of_first;
    for (std::size_t i = 0; i < codes.count(); ++i) {
        of_query.push_back(static_cast<double>(M::distance(query, &vectors[i * dim], dim)));
        if (i > 0) of_first.push_back(static_cast<double>(M::distance(vectors.data(), &vectors[i * dim], dim)));
    }
    const Comparison from_query = compare(by_query, of_query), between_codes = compare(by_code, of_first);
    INFO("lost " << lost << ", from a query: error " << from_query.error << " of " << from_query.spread
                 << ", correlation " << from_query.correlation << ", between codes " << between_codes.correlation);
    CHECK(from_query.error <= (1.2 * lost + 0.02) * from_query.spread);
    CHECK(from_query.correlation >= 1 - lost * lost);
    CHECK(between_codes.correlation >= 1 - 1.5 * lost * lost);
}

/// The codec of a quantizer whose distances are estimates, with a bound on their errors.
template <class C>
constexpr bool gives_estimates = requires(const C& codec, const float* query, kith::ScratchMemory& scratch) {
    codec.rows(nullptr).scorer(query, scratch).lower_bound(kith::Slot{0}, 0.0F, 1.0F);
};

template <class M, class C>
void check_errors_are_bounded(double share) {
    for_dimensions([&](std::size_t dim, std::size_t count) {
        const std::vector<float> vectors = blob(count, dim, dim + 3), query = blob(1, dim, 98);
        const auto codes = coded<C>(vectors, dim);
        const double lost = check_decoding<M>(codes, vectors, share);
        if constexpr (gives_estimates<C>) {
            check_estimates<M>(codes, vectors, query.data(), lost);
        } else {
            check_distances_of_decoded<M>(codes, vectors, query.data());
        }
    });
}

/// Under Cosine a vector of zeros is at about 1 from everything, itself too, whichever of the two is a code.
template <class C>
void check_zero_is_at_one() {
    for (const std::size_t dim : {64U, 100U, 768U}) {
        std::vector<float> vectors = blob(60, dim, dim + 4);
        const C codec = C::train(view_of(vectors, dim), kith::Training{});
        vectors.insert(vectors.begin(), dim, 0.0F);
        const Coded<C> codes(codec, vectors);
        const std::vector<float> zero(dim);
        const auto worst = [](const std::vector<float>& distances) {
            float most = 0;
            for (const float distance : distances) most = std::max(most, std::abs(distance - 1));
            return most;
        };
        INFO("dim " << dim);
        CHECK(worst(codes.distances(zero.data())) <= 0.35F);
        CHECK(worst(codes.distances_of(0)) <= 0.35F);
        for (std::size_t row = 0; row < codes.count(); ++row) {
            CHECK(std::abs(codes.distances(&vectors[row * dim])[0] - 1) <= 0.35F);
        }
    }
}

/// Zeros, constants, huge and tiny elements, and rows that are all equal are encoded, and no distance is a NaN.
template <class C>
void check_extreme_vectors() {
    constexpr float largest = std::numeric_limits<float>::max();
    constexpr float smallest = std::numeric_limits<float>::denorm_min();
    for (const std::size_t dim : {1U, 2U, 3U, 100U, 4096U}) {
        INFO("dim " << dim);
        std::vector<float> vectors;
        for (const float value : {0.0F, 1.0F, -1.0F, largest, -largest, smallest, 1e-20F, 1e18F}) {
            vectors.insert(vectors.end(), dim, value);
            vectors.insert(vectors.end(), dim, value);
            vectors[vectors.size() - dim] = -value;  // one element apart from the rest
        }
        const auto mixed = coded<C>(vectors, dim);
        for (kith::Slot slot = 0; slot < mixed.count(); ++slot) {
            const std::vector<float> by_query = mixed.distances(&vectors[slot * dim]);
            const std::vector<float> by_code = mixed.distances_of(slot);
            const std::vector<float> back = mixed.decoded(slot);
            INFO("slot " << slot);
            CHECK(std::none_of(by_query.begin(), by_query.end(), [](float value) { return std::isnan(value); }));
            CHECK(std::none_of(by_code.begin(), by_code.end(), [](float value) { return std::isnan(value); }));
            CHECK(std::none_of(back.begin(), back.end(), [](float value) { return std::isnan(value); }));
        }
        const std::vector<float> equal(50 * dim, 0.75F);
        const auto same = coded<C>(equal, dim);
        const std::vector<float> distances = same.distances(equal.data());
        CHECK(std::count(distances.begin(), distances.end(), distances[0]) == 50);
        for (const float element : same.decoded(7)) CHECK(std::isfinite(element));
    }
}

/// Parameters that are cut short or hold what no training gives are refused; no damage leads out of bounds.
template <class C>
void check_damaged_parameters() {
    constexpr std::size_t dim = 9;
    const std::vector<float> vectors = blob(300, dim, 5);
    std::string saved;
    kith::ByteWriter writer(saved);
    C::train(view_of(vectors, dim), kith::Training{}).save(writer);
    for (std::size_t count = 0; count < saved.size(); ++count) {
        const std::string cut = saved.substr(0, count);
        kith::ByteReader reader(cut);
        const Raised answer = raised([&] { static_cast<void>(C::load(reader, dim)); });
        INFO("cut at " << count << " of " << saved.size() << ": " << answer.text);
        CHECK((answer.code == kith::Errc::corrupt));
    }
    std::size_t refused = 0;
    for (std::size_t at = 0; at < saved.size(); ++at) {
        for (const unsigned bits : {0x01U, 0x40U, 0x80U, 0xffU}) {
            std::string damaged = saved;
            damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ bits);
            kith::ByteReader reader(damaged);
            const Raised answer = raised([&] {
                const Coded<C> codes(C::load(reader, dim), vectors);
                CHECK(codes.distances(vectors.data()).size() == codes.count());
            });
            refused += answer.code.has_value();
            if (answer.code) {
                CHECK((answer.code == kith::Errc::corrupt || answer.code == kith::Errc::unsupported_version));
            }
        }
    }
    CHECK(refused > 0);
    if (saved.size() == 1) return;  // a version and nothing else
    std::string endless = saved;    // every float a NaN
    std::fill(endless.begin() + 1, endless.end(), '\xff');
    kith::ByteReader reader(endless);
    const Raised answer = raised([&] { static_cast<void>(C::load(reader, dim)); });
    CHECK((answer.code == kith::Errc::corrupt || answer.code == kith::Errc::unsupported_version));
}

template <class C>
void check_training_refuses() {
    const std::vector<float> vectors = blob(300, 4, 6);
    const std::size_t fewest = C::fewest_vectors(4);
    CHECK(fewest >= 1);
    const Raised few =
        raised([&] { static_cast<void>(C::train({vectors.data(), fewest - 1, 4, 4}, kith::Training{})); });
    CHECK((few.code == kith::Errc::invalid_argument));
    INFO(few.text);
    CHECK(few.says(std::to_string(fewest - 1)));
    CHECK(few.says(std::to_string(fewest)));
    const Raised flat = raised([&] { static_cast<void>(C::train({vectors.data(), 300, 0, 0}, kith::Training{})); });
    CHECK((flat.code == kith::Errc::invalid_argument));
    kith::Training cancelled;
    cancelled.progress = [](double) { return false; };
    const Raised stopped = raised([&] { static_cast<void>(C::train(view_of(vectors, 4), cancelled)); });
    CHECK((stopped.code == kith::Errc::cancelled));
}

/// Every law, for the codec of one metric. `share`: see check_decoding.
template <class Q, class M>
void check_codec_laws(double share) {
    using Codec = typename Q::template Codec<M>;
    INFO(Q::name << ", " << M::name);
    check_encode_is_deterministic<Codec>();
    check_load_gives_what_was_saved<Codec>();
    check_scorers<Codec>();
    check_errors_are_bounded<M, Codec>(share);
    // The words of a product quantizer are seldom zero, so none of its codes stands for a vector of zeros.
    constexpr bool of_words = Q::name.find("pq") != std::string_view::npos;
    if constexpr (std::is_same_v<M, kith::Cosine> && !of_words) check_zero_is_at_one<Codec>();
    check_training_refuses<Codec>();
    check_extreme_vectors<Codec>();
    check_damaged_parameters<Codec>();
}

}  // namespace kith_test
