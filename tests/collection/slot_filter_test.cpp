// tests/collection/slot_filter_test.cpp — whatever the condition, a segment's indexes and columns find the slots that a
// look at every record finds.
#include "support/catch.hpp"
#include "support/scalar_images.hpp"

#include "kith/collection/growing_scalars.hpp"
#include "kith/collection/sealed_scalars.hpp"
#include "kith/collection/selection.hpp"
#include "kith/collection/slot_condition.hpp"
#include "kith/collection/slot_filter.hpp"
#include "kith/core/count_bits.hpp"
#include "kith/core/random.hpp"
#include "kith/query.hpp"
#include "kith/schema.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using kith::Aspect;
using kith::Expression;
using kith::Op;
using kith::Slot;
using kith::SplitMix64;
using kith::Value;
using kith::detail::Ask;
using kith::detail::FilterCheck;
using kith::detail::GrowingScalars;
using kith::detail::ScalarField;
using kith::detail::ScalarImages;
using kith::detail::ScalarQuestion;
using kith::detail::SealedScalars;
using kith::detail::SlotCondition;
using kith::detail::SlotConditionMaker;
using kith::detail::SlotEstimate;
using kith::detail::SlotFilter;
using kith::detail::SlotTest;
using kith::detail::Truth;
using kith_test::views_of;

enum class Grade : std::int8_t { low = -1, middle = 0, high = 1 };

struct Sample {
    std::string id;
    std::int32_t number = 0;
    std::optional<std::int64_t> large;
    float weight = 0;
    std::optional<std::string> title;
    std::vector<std::string> tags;
    std::optional<std::vector<std::uint32_t>> codes;
    bool open = false;
    Grade grade = Grade::low;
    kith::Timestamp seen;
    std::optional<double> price;  // from here on without an index
    std::string note;
    std::vector<std::int32_t> marks;
    kith::Json meta;
    std::optional<kith::Json> extra;
};

using Samples = kith::Schema<Sample, kith::Key<&Sample::id>, kith::Field<&Sample::number, kith::indexed>,
                             kith::Field<&Sample::large, kith::indexed>, kith::Field<&Sample::weight, kith::indexed>,
                             kith::Field<&Sample::title, kith::Indexed{.suffixes = true, .substrings = true}>,
                             kith::Field<&Sample::tags, kith::indexed>, kith::Field<&Sample::codes, kith::indexed>,
                             kith::Field<&Sample::open, kith::indexed>, kith::Field<&Sample::grade, kith::indexed>,
                             kith::Field<&Sample::seen, kith::indexed>>;

std::string random_text(SplitMix64& random) {
    std::string text;
    for (std::uint64_t left = random.below(6); left > 0; --left) text += "ab%_C"[random.below(5)];
    return text;
}

float random_weight(SplitMix64& random) {
    const std::uint64_t number = random.below(12);
    if (number == 0) return std::numeric_limits<float>::quiet_NaN();
    return number == 1 ? -0.0F : static_cast<float>(number) - 5.0F;
}

Sample random_sample(SplitMix64& random, std::size_t id) {
    Sample made;
    made.id = "id" + std::to_string(id);
    made.number = static_cast<std::int32_t>(random.below(40)) - 20;
    if (random.below(8) > 0) made.large = static_cast<std::int64_t>(random.below(1000)) - 500;
    made.weight = random_weight(random);
    if (random.below(8) > 0) made.title = random_text(random);
    for (std::uint64_t left = random.below(4); left > 0; --left) made.tags.push_back(random_text(random));
    if (random.below(4) > 0) {
        made.codes.emplace();
        for (std::uint64_t left = random.below(5); left > 0; --left) {
            made.codes->push_back(static_cast<std::uint32_t>(random.below(9)));
        }
    }
    made.open = random.below(4) == 0;
    made.grade = static_cast<Grade>(static_cast<int>(random.below(3)) - 1);
    made.seen = kith::Timestamp(std::chrono::microseconds(random.below(50)));
    if (random.below(3) > 0) made.price = static_cast<double>(random.below(10));
    made.note = random_text(random);
    for (std::uint64_t left = random.below(3); left > 0; --left)
        made.marks.push_back(static_cast<std::int32_t>(random.below(5)));
    made.meta.text = R"({"n": )" + std::to_string(random.below(9)) + R"(, "list": ["x", 2]})";
    if (random.below(3) > 0) made.extra.emplace(kith::Json{R"({"name": "caf\u00e9"})"});
    return made;
}

/// Random trees about samples.
class RandomTrees {
public:
    explicit RandomTrees(std::uint64_t seed) : random_(seed) {}

    Expression next(int depth) {
        const std::uint64_t choice = random_.below(6);
        if (depth == 0 || choice < 2) return leaf();
        if (choice == 2) return {.op = Op::negation, .children = {next(depth - 1)}};
        Expression made{.op = choice < 5 ? Op::all_of : Op::any_of};
        for (std::uint64_t left = random_.below(4); left > 0; --left) made.children.push_back(next(depth - 1));
        return made;
    }

private:
    Value value(std::size_t field) {
        const auto integer = [&](std::uint64_t end, std::int64_t less) {
            return static_cast<std::int64_t>(random_.below(end)) - less;
        };
        switch (field) {
            case 0:
                return "id" + std::to_string(random_.below(2000));
            case 1:
                return integer(44, 22);
            case 2:
                return integer(1100, 550);
            case 3:
                return static_cast<double>(integer(14, 7));
            case 6:
                return std::uint64_t{random_.below(10)};
            case 7:
                return random_.below(2) == 1;
            case 8:
                return integer(3, 1);
            case 9:
                return integer(54, 2);
            case 10:
                return static_cast<double>(integer(12, 1));
            case 12:
                return integer(6, 0);
            default:
                return random_text(random_);
        }
    }

    std::vector<Value> values(std::size_t field) {
        std::vector<Value> made;
        for (std::uint64_t left = random_.below(4); left > 0; --left) made.push_back(value(field));
        std::sort(made.begin(), made.end());
        made.erase(std::unique(made.begin(), made.end()), made.end());
        return made;
    }

    /// About a member of an object.
    Expression json_leaf(std::size_t field, Op comparison) {
        const bool meta = field == 13;
        const kith::Term name{.value = std::string(meta ? "n" : "name")};
        const kith::Term path{.op = kith::TermOp::path, .field = field, .parts = {name}};
        const Value wanted = meta ? Value(std::int64_t{4}) : Value(std::string("caf\xc3\xa9"));
        return {.op = comparison, .field = field, .values = {wanted}, .terms = {path}};
    }

    Expression leaf() {
        const std::size_t field = random_.below(Samples::field_count);
        const kith::FieldInfo& info = Samples::fields[field];
        if (info.nullable && random_.below(5) == 0) return {.op = Op::is_null, .field = field};
        constexpr std::array comparisons{Op::equal,      Op::not_equal, Op::less,
                                         Op::less_equal, Op::greater,   Op::greater_equal};
        const Op comparison = comparisons[random_.below(comparisons.size())];
        if (info.kind == kith::FieldKind::json) return json_leaf(field, comparison);
        if (info.list) {
            if (random_.below(3) > 0) {
                return {.op = random_.below(2) == 0 ? Op::contains_any : Op::contains_all,
                        .field = field,
                        .values = values(field)};
            }
            if (random_.below(3) == 0) {
                return {.op = Op::in,
                        .field = field,
                        .values = {std::uint64_t{1}, std::uint64_t{3}},
                        .aspect = Aspect::length};
            }
            const std::uint64_t length = random_.below(20) == 0 ? ~std::uint64_t{0} : random_.below(5);
            return {.op = comparison, .field = field, .values = {length}, .aspect = Aspect::length};
        }
        if (random_.below(12) == 0 && field == 1) {
            const kith::Term column{.op = kith::TermOp::column, .field = 1};
            const std::size_t other = std::array<std::size_t, 3>{2, 3, 10}[random_.below(3)];
            const kith::Term sum{.op = kith::TermOp::add,
                                 .parts = {{.op = kith::TermOp::column, .field = other},
                                           {.op = kith::TermOp::constant, .value = std::int64_t{3}}}};
            return {.op = comparison, .terms = {column, sum}};
        }
        if (random_.below(12) == 0 && field == 4) {
            const kith::Term marks{.op = kith::TermOp::length, .field = 12};
            return {.op = comparison, .terms = {marks, {.op = kith::TermOp::length, .field = 6}}};
        }
        if (info.kind == kith::FieldKind::text && random_.below(2) == 0) {
            constexpr std::array tests{Op::has_prefix, Op::has_suffix, Op::has_substring, Op::like, Op::ilike};
            const Op op = tests[random_.below(tests.size())];
            if (op == Op::ilike) return {.op = op, .field = field, .values = {std::string("a%\\_%c")}};
            if (op == Op::like) return {.op = op, .field = field, .values = {std::string("a\\%_%b")}};
            return {.op = op, .field = field, .values = {value(field)}};
        }
        if (random_.below(4) == 0) return {.op = Op::in, .field = field, .values = values(field)};
        return {.op = comparison, .field = field, .values = {value(field)}};
    }

    SplitMix64 random_;
};

bool holds(const Expression& tree, const Sample& sample) {
    return kith::detail::satisfies(sample, tree) == Truth::yes;
}

/// Filters the first `count` samples, and checks what is left of the condition on the candidates.
void compare(const Expression& tree, const std::vector<Sample>& samples, std::span<const ScalarField* const> fields,
             Slot count, int& exact) {
    const SlotCondition condition = SlotConditionMaker(Samples::fields).make(tree);
    SlotFilter filter(condition, fields, count);
    const std::vector<std::uint64_t> candidates = filter.candidates();
    const Expression rest = filter.rest();
    Slot matches = 0;
    for (Slot slot = 0; slot < count; ++slot) {
        const bool expected = holds(tree, samples[slot]);
        const bool candidate = ((candidates[slot / 64] >> (slot % 64)) & 1U) != 0;
        const bool found = candidate && (filter.exact() || holds(rest, samples[slot]));
        if (found != expected) FAIL("slot " << slot << " is found: " << found);
        if (filter.exact() && candidate != expected) FAIL("slot " << slot << " is no candidate of an exact filter");
        if (expected) ++matches;
    }
    if (count % 64 != 0 && (candidates.back() >> (count % 64)) != 0) FAIL("a slot that does not exist");
    if (filter.exact()) {
        ++exact;
        CHECK(rest.children.empty());
    }
    INFO("there are " << matches << ", estimated " << filter.estimate().fewest << " to " << filter.estimate().most);
    if (filter.estimate().fewest > matches || filter.estimate().most < matches) FAIL("outside of the bounds");
}

const std::vector<Sample>& samples() {
    static const std::vector<Sample> made = [] {
        SplitMix64 random(5);
        std::vector<Sample> all;
        for (std::size_t at = 0; at < 2500; ++at) all.push_back(random_sample(random, at));
        return all;
    }();
    return made;
}

std::vector<std::string> rows_of_samples() {
    std::vector<std::string> rows;
    for (const Sample& sample : samples()) Samples::encode_row(sample, rows.emplace_back());
    return rows;
}

ScalarImages<std::string> sealed_images() {
    return kith_test::scalar_images(Samples::fields, rows_of_samples());
}

constexpr int trees = 1500;

TEST_CASE("A sealed segment finds what a look at every record finds, without rows") {
    const auto images = sealed_images();
    const auto count = static_cast<Slot>(samples().size());
    const SealedScalars scalars(Samples::fields, views_of(images), count);
    scalars.check();
    RandomTrees random(1);
    int exact = 0;
    for (int number = 0; number < trees; ++number) {
        const Expression tree = random.next(3);
        INFO("tree " << number);
        compare(tree, samples(), scalars.fields(), count, exact);
    }
    CHECK(exact == trees);
}

TEST_CASE("A segment that is written finds the same, for each snapshot, with rows where it has no index") {
    GrowingScalars scalars(Samples::fields, static_cast<Slot>(samples().size()));
    for (const Sample& sample : samples()) {
        std::string row;
        Samples::encode_row(sample, row);
        scalars.append(row);
        if (scalars.size() % 300 == 299) {  // what is taken back leaves nothing behind
            scalars.append(row);
            scalars.truncate(scalars.size() - 1);
        }
    }
    RandomTrees random(2);
    int exact = 0;
    for (int number = 0; number < trees; ++number) {
        const Expression tree = random.next(3);
        INFO("tree " << number);
        const Slot count = number % 3 == 0 ? static_cast<Slot>(samples().size()) : number % 3 == 1 ? 700 : 0;
        compare(tree, samples(), scalars.fields(), count, exact);
    }
    CHECK(exact > trees / 4);
    CHECK_THROWS_AS(scalars.append("no row"), kith::Error);
    CHECK(scalars.size() == samples().size());
}

TEST_CASE("Readers find what their snapshot holds while a writer appends and takes back", "[threads]") {
    const auto count = static_cast<Slot>(samples().size());
    GrowingScalars scalars(Samples::fields, count);
    std::atomic<Slot> published = 0;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> readers;
    for (std::uint64_t reader = 0; reader < 2; ++reader) {
        readers.emplace_back([&, reader] {
            RandomTrees random(10 + reader);
            for (Slot seen = 0; seen < count;) {
                seen = published.load(std::memory_order_acquire);
                const Expression tree = random.next(2);
                const SlotCondition condition = SlotConditionMaker(Samples::fields).make(tree);
                SlotFilter filter(condition, scalars.fields(), seen);
                const std::vector<std::uint64_t> candidates = filter.candidates();
                const Expression rest = filter.rest();
                for (Slot slot = 0; slot < seen; ++slot) {
                    const bool candidate = ((candidates[slot / 64] >> (slot % 64)) & 1U) != 0;
                    if ((candidate && holds(rest, samples()[slot])) != holds(tree, samples()[slot])) ++wrong;
                }
            }
        });
    }
    const auto append = [&](const Sample& sample) {
        std::string row;
        Samples::encode_row(sample, row);
        scalars.append(row);
    };
    while (scalars.size() < count) {
        const Slot kept = scalars.size();
        for (Slot other = 0; other < 20 && scalars.size() < count; ++other) append(samples()[other]);
        scalars.truncate(kept);
        for (int left = 0; left < 10 && scalars.size() < count; ++left) append(samples()[scalars.size()]);
        published.store(scalars.size(), std::memory_order_release);
    }
    for (std::thread& reader : readers) reader.join();
    CHECK(wrong == 0);
}

/// The tree of a condition over samples.
SlotCondition made(const Expression& tree) {
    return SlotConditionMaker(Samples::fields).make(tree);
}

TEST_CASE("What no index and no column knows is left to be checked, and nothing else") {
    GrowingScalars scalars(Samples::fields, 100);
    std::string row;
    Samples::encode_row(samples()[0], row);
    for (int slot = 0; slot < 100; ++slot) scalars.append(row);
    const Expression note{.op = Op::has_prefix, .field = 11, .values = {std::string("a")}};
    const Expression number{.op = Op::equal, .field = 1, .values = {std::int64_t{77}}};
    const Expression open{.op = Op::equal, .field = 7, .values = {true}};

    const Expression both{.op = Op::all_of, .children = {number, note}};
    const SlotCondition one = made(both);
    SlotFilter filter(one, scalars.fields(), 100);
    CHECK_FALSE(filter.exact());
    CHECK(filter.narrows());
    CHECK(filter.rest() == Expression{.op = Op::all_of, .children = {note}});
    CHECK(filter.candidates() == std::vector<std::uint64_t>(2));

    const Expression either{.op = Op::any_of, .children = {number, note}};
    const Expression neither{.op = Op::negation, .children = {{.op = Op::any_of, .children = {open, note}}}};
    const SlotCondition two = made(either);
    CHECK_FALSE(SlotFilter(two, scalars.fields(), 100).narrows());
    const SlotCondition three = made(neither);
    SlotFilter negated(three, scalars.fields(), 100);
    CHECK(negated.narrows());
    CHECK(negated.rest() == Expression{.op = Op::all_of, .children = {{.op = Op::negation, .children = {note}}}});
}

/// A field of which only the first slots satisfy any question; it notes how many slots its column was asked about.
class Counting final : public ScalarField {
public:
    Counting(Slot matches, bool indexed, Slot& asked) : matches_(matches), indexed_(indexed), asked_(asked) {}

    [[nodiscard]] bool indexed() const noexcept override { return indexed_; }
    [[nodiscard]] bool has_column() const noexcept override { return true; }
    [[nodiscard]] SlotEstimate estimate(const ScalarQuestion& question, Slot count) const override {
        return SlotEstimate::exactly(question.ask == Ask::present ? count : matches_);
    }
    void answer(const ScalarQuestion&, Slot, std::span<std::uint64_t> words) const override {
        for (Slot slot = 0; slot < matches_; ++slot) words[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }
    [[nodiscard]] double answer_nanoseconds(const ScalarQuestion&, const SlotEstimate& estimate, Slot) const override {
        return 1000 + estimate.expected;
    }
    [[nodiscard]] std::unique_ptr<SlotTest> test(const ScalarQuestion&, Slot) const override {
        return std::make_unique<Test>(*this);
    }
    [[nodiscard]] kith::detail::Scalar value(Slot, bool) const override { return {}; }
    [[nodiscard]] double test_nanoseconds(double bits, Slot) const noexcept override { return 10 * bits; }

private:
    class Test final : public SlotTest {
    public:
        explicit Test(const Counting& field) : field_(field) {}
        void keep(bool wanted, std::span<std::uint64_t> words) override {
            kith::detail::keep_bits(words, 0, [&](Slot slot) {
                ++field_.asked_;
                return holds(slot, wanted);
            });
        }
        [[nodiscard]] bool holds(Slot slot, bool wanted) const override { return (slot < field_.matches_) == wanted; }

    private:
        const Counting& field_;
    };

    Slot matches_;
    bool indexed_;
    Slot& asked_;
};

TEST_CASE("A conjunction begins with what leaves the fewest, and asks a column about no other slots") {
    constexpr Slot count = 100'000;
    Slot asked = 0;
    Slot few_asked = 0;
    const Counting half(count / 2, false, asked);
    const Counting few(20, true, few_asked);
    const std::array<const ScalarField*, 13> fields{nullptr, &half, &few};
    const Expression slow{.op = Op::equal, .field = 1, .values = {std::int64_t{1}}};
    const Expression quick{.op = Op::equal, .field = 2, .values = {std::int64_t{1}}};
    const Expression both{.op = Op::all_of, .children = {slow, quick}};
    const SlotCondition condition = made(both);
    SlotFilter filter(condition, fields, count);
    CHECK(filter.estimate().most == 20);
    CHECK(kith::detail::count_bits(filter.candidates()) == 20);
    CHECK(asked == 20);
    CHECK(few_asked == 0);  // its index answers
}

TEST_CASE("A filter says of single slots what its candidates say of all, where columns know") {
    RandomTrees random(29);
    const auto images = sealed_images();
    const auto count = static_cast<Slot>(samples().size());
    const SealedScalars sealed(Samples::fields, views_of(images), count);
    std::size_t compared = 0;
    for (int round = 0; round < 300; ++round) {
        const Expression tree = random.next(2);
        const SlotCondition condition = made(tree);
        SlotFilter filter(condition, sealed.fields(), count);
        if (std::isinf(filter.nanoseconds_of(100))) {
            CHECK_FALSE(filter.exact());
            continue;
        }
        REQUIRE(filter.exact());
        const std::vector<std::uint64_t> candidates = filter.candidates();
        const FilterCheck check{SlotFilter(condition, sealed.fields(), count)};
        for (Slot slot = 0; slot < count; ++slot) {
            if (check.allows(slot) != (((candidates[slot / 64] >> (slot % 64)) & 1U) != 0)) FAIL("slot " << slot);
        }
        check.raise_failure();
        ++compared;
    }
    CHECK(compared > 100);
}

TEST_CASE("Images of another schema, or that are cut, are refused") {
    const auto images = sealed_images();
    const auto count = static_cast<Slot>(samples().size());
    auto cut = views_of(images);
    cut.columns.remove_suffix(1);
    CHECK_THROWS_AS(SealedScalars(Samples::fields, cut, count), kith::Error);
    cut = views_of(images);
    std::swap(cut.indexes[1], cut.indexes[4]);
    CHECK_THROWS_AS(SealedScalars(Samples::fields, cut, count), kith::Error);
    CHECK_THROWS_AS(SealedScalars(Samples::fields, views_of(images), count + 1), kith::Error);
}

}  // namespace
