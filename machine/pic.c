/* See pic.h. */
#include "pic.h"

#include <string.h>

#include "pc.h"

enum { SPURIOUS = 7, NONE = 8 };
enum { ICW1 = 0x10, ICW1_SINGLE = 0x02, ICW1_ICW4 = 0x01, ICW4_AUTO_EOI = 0x02 };
enum { OCW3 = 0x08, OCW3_READ = 0x02, OCW3_READ_ISR = 0x01, OCW2_EOI = 0x20, OCW2_SPECIFIC = 0x40 };

static unsigned most_urgent(unsigned inputs)
{
    return (unsigned)__builtin_ctz(inputs | 1u << NONE);
}

/* The input that asks for service and outranks those in service, or NONE. */
static unsigned request(const struct pic_chip *chip)
{
    unsigned input = most_urgent(chip->irr & (uint8_t)~chip->imr);

    return input < most_urgent(chip->isr) ? input : NONE;
}

static void set_line(struct pic_chip *chip, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (level && !(chip->lines & bit))
        chip->irr |= bit;       /* stays until acknowledged, even if the line falls: so does QEMU's */
    chip->lines = level ? chip->lines | bit : chip->lines & (uint8_t)~bit;
}

static void acknowledge(struct pic_chip *chip, unsigned input)
{
    uint8_t bit = (uint8_t)(1u << input);

    chip->irr &= (uint8_t)~bit;
    if (!chip->auto_eoi)
        chip->isr |= bit;
}

/* The second chip's output is the first one's input. */
static void cascade(struct pic *pic)
{
    set_line(&pic->chip[0], IRQ_CASCADE, request(&pic->chip[1]) != NONE);
}

void pic_init(struct pic *pic)
{
    memset(pic, 0, sizeof *pic);
}

void pic_line(struct pic *pic, unsigned irq, bool level)
{
    if ((pic->chip[irq >> 3 & 1].lines >> (irq & 7) & 1) == level)
        return;
    set_line(&pic->chip[irq >> 3 & 1], irq & 7, level);
    cascade(pic);
}

bool pic_intr(const struct pic *pic)
{
    return request(&pic->chip[0]) != NONE;
}

bool pic_pending(const struct pic *pic, unsigned irq)
{
    return pic->chip[irq >> 3 & 1].irr >> (irq & 7) & 1;
}

uint8_t pic_ack(struct pic *pic)
{
    struct pic_chip *chip = &pic->chip[0];
    unsigned input = request(chip);

    if (input == IRQ_CASCADE) {
        acknowledge(chip, input);
        chip = &pic->chip[1];
        input = request(chip);
    }
    if (input == NONE)
        return chip->base + SPURIOUS;           /* of the second chip: the first is in service all the same */
    acknowledge(chip, input);
    cascade(pic);
    return (uint8_t)(chip->base + input);
}

static void write_command(struct pic_chip *chip, uint8_t value)
{
    if (value & ICW1) {
        *chip = (struct pic_chip){ .step = 2, .needs_icw4 = value & ICW1_ICW4, .single = value & ICW1_SINGLE };
    } else if (value & OCW3) {
        if (value & OCW3_READ)
            chip->read_isr = value & OCW3_READ_ISR;
    } else if (value & OCW2_EOI) {
        unsigned input = value & OCW2_SPECIFIC ? value & 7u : most_urgent(chip->isr);

        chip->isr &= (uint8_t)~(1u << input);
    }
}

static void write_data(struct pic_chip *chip, uint8_t value)
{
    switch (chip->step) {
    case 0:
        chip->imr = value;
        break;
    case 2:
        chip->base = value & 0xf8;
        chip->step = !chip->single ? 3 : chip->needs_icw4 ? 4 : 0;
        break;
    case 3:                                     /* which input the cascade uses: wired, here */
        chip->step = chip->needs_icw4 ? 4 : 0;
        break;
    case 4:
        chip->auto_eoi = value & ICW4_AUTO_EOI;
        chip->step = 0;
        break;
    }
}

void pic_out(struct pic *pic, uint16_t port, uint8_t value)
{
    struct pic_chip *chip = &pic->chip[port >= PORT_PIC2_COMMAND];

    if (port & 1)
        write_data(chip, value);
    else
        write_command(chip, value);
    cascade(pic);
}

uint8_t pic_in(struct pic *pic, uint16_t port)
{
    struct pic_chip *chip = &pic->chip[port >= PORT_PIC2_COMMAND];

    if (port & 1)
        return chip->imr;
    return chip->read_isr ? chip->isr : chip->irr;
}
