// tests/schema/schema_test.cpp — what a Schema finds out about a struct, and how it writes it down.
#include "metrics.hpp"
#include "support/catch.hpp"

#include "kith/core/error.hpp"
#include "kith/schema.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace library::catalogue {

enum class Language : std::uint8_t { english, german };

struct Book {
    std::string id;
    std::int32_t year = 0;
    std::array<float, 4> cover{};
    std::optional<double> price;
    std::vector<std::string> tags;
    bool lent = false;
    Language language{};
    std::optional<std::vector<std::uint64_t>> editions;
    std::array<float, 2> place{};
    std::array<float, 3> summary{};
    float weight = 0;
};

}  // namespace library::catalogue

namespace {

using kith::FieldKind;
using kith_test::Angle;
using kith_test::Euclid;
using kith_test::Graph;
using library::catalogue::Book;

// The second vector of the struct is listed first.
using Books = kith::Schema<Book, kith::VectorField<&Book::summary, Euclid>, kith::Key<&Book::id>,
                           kith::Field<&Book::year, kith::indexed>, kith::Field<&Book::price>,
                           kith::VectorField<&Book::cover, Angle, Graph>>;

static_assert(kith::IsSchema<Books> && !kith::IsSchema<Book>);
static_assert(Books::field_count == 11 && Books::vector_count == 2);
static_assert(Books::vector_index<&Book::cover> == 0 && Books::vector_index<&Book::summary> == 1);
static_assert(std::is_same_v<Books::KeyType, std::string>);
static_assert(std::is_same_v<Books::VectorAttribute<0>::Index, Graph>);
static_assert(std::is_same_v<Books::VectorAttribute<1>::Metric, Euclid>);
static_assert(Books::VectorAttribute<1>::dim == 3 && Books::VectorAttribute<1>::name == "summary");

struct Counter {
    std::int64_t number = 0;
};
using Counters = kith::Schema<Counter, kith::Key<&Counter::number>>;
static_assert(Counters::vector_count == 0 && std::is_same_v<Counters::KeyType, std::int64_t>);

struct Widest {
    std::uint32_t m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21;
    std::string m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41;
    std::optional<double> m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59;
    std::array<float, 8> m60;
    bool m61, m62, last;
};

constexpr std::string_view book_descriptor =
    "kith schema 1\n"
    "id text key\n"
    "year int32 indexed\n"
    "cover vector 4 metric=cosine index=graph(links=16)\n"
    "price double nullable\n"
    "tags list of text\n"
    "lent bool\n"
    "language uint32\n"
    "editions list of uint64 nullable\n"
    "place vector 2\n"
    "summary vector 3 metric=l2 index=default\n"
    "weight float\n";

TEST_CASE("A schema knows the name, kind and role of every member, listed or not") {
    const auto& fields = Books::fields;
    const std::array<std::string_view, 11> names{"id",       "year",     "cover", "price",   "tags",  "lent",
                                                 "language", "editions", "place", "summary", "weight"};
    for (std::size_t at = 0; at < names.size(); ++at) CHECK(fields[at].name == names[at]);

    CHECK((fields[0].key && fields[0].kind == FieldKind::text && !fields[0].indexed));
    CHECK((fields[1].indexed && fields[1].kind == FieldKind::int32 && !fields[1].nullable));
    CHECK((fields[2].kind == FieldKind::vector && fields[2].dim == 4 && fields[2].metric == "cosine"));
    CHECK(fields[2].index == "graph");
    CHECK((fields[3].kind == FieldKind::float64 && fields[3].nullable && !fields[3].list));
    CHECK((fields[4].kind == FieldKind::text && fields[4].list && !fields[4].nullable));
    CHECK(fields[5].kind == FieldKind::boolean);
    CHECK(fields[6].kind == FieldKind::uint32);
    CHECK((fields[7].kind == FieldKind::uint64 && fields[7].list && fields[7].nullable));
    CHECK((fields[8].kind == FieldKind::vector && fields[8].metric.empty() && fields[8].index.empty()));
    CHECK((fields[9].dim == 3 && fields[9].index == "default"));
    CHECK(fields[10].kind == FieldKind::float32);
}

TEST_CASE("Names are found in local structs, in hidden ones, and at the limit of 64 members") {
    struct Local {
        std::string first_name;
        long long größe = 0;
    };
    using Locals = kith::Schema<Local, kith::Key<&Local::first_name>>;
    CHECK(Locals::fields[0].name == "first_name");
    CHECK(Locals::fields[1].name == "größe");
    CHECK(Locals::fields[1].kind == FieldKind::int64);
    CHECK(Counters::fields[0].name == "number");

    using Wide = kith::Schema<Widest, kith::Key<&Widest::m41>, kith::VectorField<&Widest::m60, Euclid>>;
    REQUIRE(Wide::field_count == 64);
    for (std::size_t at = 0; at < 63; ++at) CHECK(Wide::fields[at].name == "m" + std::to_string(at));
    CHECK(Wide::fields[63].name == "last");
    CHECK((Wide::fields[41].key && Wide::fields[59].nullable && Wide::fields[60].dim == 8));

    Widest wide{};
    wide.m41 = "key";
    wide.m59 = 1.5;
    wide.last = true;
    std::string row;
    Wide::encode_row(wide, row);
    Widest read{};
    REQUIRE(Wide::decode_row(row, read));
    CHECK((read.m41 == "key" && read.m59 == 1.5 && !read.m58.has_value() && read.last));
}

TEST_CASE("Vectors are visited in the order of the struct and can be written through") {
    Book book;
    book.cover = {1, 2, 3, 4};
    book.summary = {5, 6, 7};
    std::vector<float> seen;
    Books::for_each_vector(std::as_const(book), [&](std::size_t number, std::span<const float> elements) {
        seen.push_back(static_cast<float>(number));
        seen.insert(seen.end(), elements.begin(), elements.end());
    });
    CHECK(seen == std::vector<float>{0, 1, 2, 3, 4, 1, 5, 6, 7});

    Books::for_each_vector(book, [](auto number, std::span<float> elements) { elements[0] = 10.0f + number(); });
    CHECK((book.cover[0] == 10 && book.summary[0] == 11));
}

TEST_CASE("A descriptor and its fingerprint stay what they were, for they are stored") {
    CHECK(Books::descriptor() == book_descriptor);
    CHECK(Books::fingerprint() == 0xa07d454c33a2de0fULL);
    CHECK(Counters::descriptor() == "kith schema 1\nnumber int64 key\n");
    CHECK(Counters::fingerprint() == 0xf2fa131144e397d4ULL);
}

TEST_CASE("The order in which attributes are listed changes nothing") {
    using Listed = kith::Schema<Book, kith::Key<&Book::id>, kith::VectorField<&Book::cover, Angle, Graph>,
                                kith::Field<&Book::year, kith::indexed>, kith::VectorField<&Book::summary, Euclid>>;
    CHECK(Listed::descriptor() == Books::descriptor());
    CHECK(Listed::vector_index<&Book::cover> == Books::vector_index<&Book::cover>);
}

TEST_CASE("What an index of texts is to find is part of the schema") {
    struct Note {
        std::string id;
        std::string title;
        std::vector<std::string> tags;
    };
    using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::Field<&Note::title, kith::Indexed{.suffixes = true}>,
                               kith::Field<&Note::tags, kith::Indexed{.suffixes = true, .substrings = true}>>;
    CHECK(Notes::descriptor() ==
          "kith schema 1\nid text key\ntitle text indexed suffixes\n"
          "tags list of text indexed suffixes substrings\n");
    CHECK((Notes::fields[1].indexed && Notes::fields[1].suffixes && !Notes::fields[1].substrings));
    CHECK((Notes::fields[2].suffixes && Notes::fields[2].substrings));
    CHECK((!Books::fields[1].suffixes && !Books::fields[1].substrings));
}

TEST_CASE("The difference of two schemas names each field that changed") {
    const std::string stored =
        "kith schema 1\nid text key\nyear int32 indexed\nprice double nullable\nplace vector 3 metric=l2 index=hnsw\n";
    const std::string current =
        "kith schema 1\nid text key\nyear int64 indexed\nplace vector 4 metric=l2 index=hnsw\npages uint32\n";
    CHECK(kith::describe_difference(stored, current) ==
          "field 'year': stored int32 indexed, now int64 indexed\n"
          "field 'price': only in the stored schema, as double nullable\n"
          "field 'place': stored vector 3 metric=l2 index=hnsw, now vector 4 metric=l2 index=hnsw\n"
          "field 'pages': only in the program's schema, as uint32");
    CHECK(kith::describe_difference(stored, stored).empty());
    CHECK(kith::describe_difference("kith schema 1\na bool\nb bool\n", "kith schema 1\nb bool\na bool\n") ==
          "the fields stand in another order: stored a, b; now b, a");

    const std::string unreadable = "one of the two schemas is written in a form this version cannot read";
    CHECK(kith::describe_difference("kith schema 2\n{}", current) == unreadable);
    CHECK(kith::describe_difference("", current) == unreadable);
    CHECK_FALSE(kith::describe_difference("kith schema 1\n\n \nid", current).empty());
}

template <class Integer>
void check_integer_keys() {
    using Limits = std::numeric_limits<Integer>;
    const std::vector<Integer> ascending = [] {
        std::vector<Integer> keys{Limits::min(), static_cast<Integer>(Limits::min() + 1)};
        if (std::is_signed_v<Integer>) keys.insert(keys.end(), {static_cast<Integer>(-256), static_cast<Integer>(-1)});
        keys.insert(keys.end(), {0, 1, 255, 256, 65536, Limits::max() - 1, Limits::max()});
        std::sort(keys.begin(), keys.end());
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
        return keys;
    }();
    std::string previous;
    for (const Integer key : ascending) {
        const std::string bytes = kith::detail::key_bytes(key);
        CHECK(bytes.size() == sizeof(Integer));
        CHECK(previous < bytes);
        CHECK(kith::detail::key_from_bytes<Integer>(bytes) == key);
        CHECK(kith::detail::show_key<Integer>(bytes) == std::to_string(key));
        previous = bytes;
    }
    CHECK_THROWS_AS(kith::detail::key_from_bytes<Integer>("abc"), kith::Error);
}

TEST_CASE("The bytes of integer keys stand in the order of the integers and lead back to them") {
    check_integer_keys<std::int32_t>();
    check_integer_keys<std::int64_t>();
    check_integer_keys<std::uint32_t>();
    check_integer_keys<std::uint64_t>();
    CHECK(Counters::key_bytes(-1) == std::string("\x7f\xff\xff\xff\xff\xff\xff\xff", 8));
    CHECK(Counters::key_of(Counter{42}) == 42);
}

TEST_CASE("A text key is its bytes") {
    Book book;
    book.id = std::string("a\0b", 3);
    CHECK(&Books::key_of(book) == &book.id);
    CHECK(Books::key_bytes(book.id) == book.id);
    CHECK(Books::key_from_bytes(book.id) == book.id);
    CHECK(Books::show_key("dune") == "'dune'");
}

}  // namespace
